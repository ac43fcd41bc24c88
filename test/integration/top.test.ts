import assert from "node:assert/strict";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { SimulatorServer } from "../../src/simulator/server.ts";
import { SimulatedHost } from "../../src/simulator/simulated-host.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { Terminal } from "./support/terminal.ts";
import { atEnd } from "../support/at-end.ts";

const SIZE = { columns: 100, rows: 12 };
const DOMAINS = 20;

/** Starts `top` on a terminal with a simulated daemon. */
async function bench(
  t: TestContext,
  ...args: string[]
): Promise<{ readonly top: Terminal; readonly host: SimulatedHost }> {
  const socket = path.join(await temporaryDirectory(t), "sock");
  const host = SimulatedHost.of(DOMAINS, { nics: 1, disks: 1, seed: 1 });
  const server = await SimulatorServer.start(socket, host);
  const command = ["node", "src/main.ts", "top", "--libvirt-socket", socket, "--interval", "300ms", ...args];
  const top = new Terminal(command, SIZE);
  atEnd(t, async () => {
    await top[Symbol.asyncDispose]();
    for (const name of host.stuck) host.release(name);
    await server[Symbol.asyncDispose]();
  });
  return { top, host };
}

/** Returns the values of a column, from top to bottom. */
function column({ screen }: Terminal, title: string): readonly string[] {
  const at = screen.findIndex((line) => line.startsWith("VM "));
  const end = (screen[at]?.indexOf(title) ?? 0) + title.length;
  const rows = screen.slice(at + 1, -1).filter((line) => line !== "");
  return rows.map((line) => /\S+$/.exec(line.slice(0, end))?.[0] ?? "");
}

function isDescending(values: readonly string[]): boolean {
  return values.every((value, index) => index === 0 || Number(value) <= Number(values[index - 1]));
}

test("top shows the busiest domains first, and restores the terminal on q", async (t) => {
  const { top } = await bench(t);
  await top.shows(() => column(top, "CPU%").length > 0 && !column(top, "CPU%").includes("-"), "CPU");
  assert.equal(await top.mode(), "raw");
  assert.match(top.screen[0] ?? "", /^20 VMs of 1 libvirt daemon   CPU [0-9.]+%   every 300ms   by cpu$/);
  assert.equal(top.screen.length, SIZE.rows);
  assert.match(top.screen.at(-1) ?? "", /^q quit .*\(12 more VMs\)$/);
  assert.ok(isDescending(column(top, "CPU%")), top.screen.join("\n"));
  top.press("q");
  assert.deepEqual(await top.end(), { exit: "0", mode: "canonical" });
  assert.ok(top.output.startsWith("\x1b[?1049h\x1b[?25l"));
  assert.ok(top.output.endsWith("\x1b[?25h\x1b[?1049l"));
});

test("a key sorts at once, and a resize fills the terminal", async (t) => {
  const { top } = await bench(t, "--interval", "1h");
  await top.shows(() => column(top, "MEM").length > 0, "domains");
  top.press("a");
  await top.shows(() => top.screen[0]?.endsWith("by name") === true, "the order of names");
  assert.deepEqual(
    top.screen.slice(3, 5).map((line) => line.slice(0, 6)),
    ["vm-001", "vm-002"],
  );
  top.resize(50, 30);
  await top.shows(() => top.screen.length === 30, "all lines of the new size");
  for (const line of top.screen) assert.ok(line.length <= 50, line);
  assert.equal(top.screen.filter((line) => line.startsWith("vm-")).length, DOMAINS);
  assert.ok(!top.screen.join().includes("READ/s"));
  top.press("q");
  await top.end();
});

for (const [how, press] of [
  ["Ctrl-C", "\x03"],
  ["Ctrl-C among other keys", "xy\x03z"],
] as const) {
  test(`${how} ends top and restores the terminal`, async (t) => {
    const { top } = await bench(t);
    await top.shows(() => column(top, "MEM").length > 0, "domains");
    top.press(press);
    assert.deepEqual(await top.end(), { exit: "0", mode: "canonical" });
  });
}

test("the screen reports a lost daemon, and its domains return with it", async (t) => {
  const { top, host } = await bench(t);
  await top.shows(() => column(top, "MEM").length > 0, "domains");
  host.freeze();
  await top.shows(() => top.screen[1]?.startsWith("! ") === true, "what is wrong");
  assert.match(top.screen[1] ?? "", /^! \S+: E_LIBVIRT_TIMEOUT: /);
  host.thaw();
  await top.shows(() => top.screen[0]?.startsWith("20 VMs") === true, "the domains");
  top.press("q");
  await top.end();
});

test("a missing socket at the start is an error on the ordinary terminal", async (t) => {
  const top = new Terminal(["node", "src/main.ts", "top", "--pods-dir", "/nonexistent"], SIZE);
  atEnd(t, () => top[Symbol.asyncDispose]());
  assert.deepEqual(await top.end(), { exit: "1", mode: "canonical" });
  assert.match(top.output, /^error: E_PODS_DIR: /);
  assert.ok(!top.output.includes("\x1b"));
});
