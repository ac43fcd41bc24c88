import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { parseLines } from "../../scripts/demo/line-protocol-parser.ts";
import { assertUsage, run, running } from "../support/command-line.ts";
import { LEAST_SPEC, configText } from "../support/config.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

async function configFile(t: TestContext, text: string): Promise<string> {
  const file = path.join(await temporaryDirectory(t), "config.yaml");
  await writeFile(file, text);
  return file;
}

/** Returns a configuration whose only fault is its priority. */
function faulty(priority: number): string {
  return configText({ ...LEAST_SPEC, priority });
}

/** A configuration with a target that no server listens for. */
const UNREACHED = configText({
  targets: [{ name: "a", url: "http://127.0.0.1:9", tls: { mode: "Plaintext" }, v1: { database: "d" } }],
});

interface Entry {
  readonly msg: string;
  readonly node?: string;
  readonly sockets?: readonly string[];
}

function entries(stdout: string): Entry[] {
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Entry);
}

test("an invalid configuration ends the agent with exit code 2 and every fault", async () => {
  const file = "test/golden/validate/many-faults";
  const { exitCode, stdout, stderr } = await run(["agent", "--config", `${file}.yaml`]);
  assert.deepEqual({ exitCode, stdout }, { exitCode: 2, stdout: "" });
  assert.equal(stderr, `error: E_CONFIG_INVALID: the configuration is invalid\n${readFileSync(`${file}.txt`, "utf8")}`);
});

test("an unreadable configuration ends the agent with exit code 1", async () => {
  const unreadable = await run(["agent", "--config", "/nonexistent/config.yaml"]);
  assert.equal(unreadable.exitCode, 1);
  assert.match(unreadable.stderr, /^error: E_CONFIG_UNREADABLE: \/nonexistent\/config\.yaml cannot be read/);
});

test("an environment variable sets --config, and the option overrides it", async (t) => {
  const [ofVariable, ofFlag] = [await configFile(t, faulty(1001)), await configFile(t, faulty(1002))];
  const variables = { KUBEVIRT_TELEMETRY_CONFIG: ofVariable };
  await assertUsage(["agent"], new RegExp(`^${ofVariable}:\\d+: spec\\.priority: .* is 1001$`, "m"), variables);
  const { stderr } = await run(["agent", "--config", ofFlag], variables);
  assert.match(stderr, new RegExp(`^${ofFlag}:\\d+: spec\\.priority: .* is 1002$`, "m"));
  assert.equal(stderr.includes(ofVariable), false);
});

test("an empty environment variable is ignored", () =>
  assertUsage(["agent"], /give --config FILE/, { KUBEVIRT_TELEMETRY_CONFIG: "", KUBEVIRT_TELEMETRY_CYCLES: "" }));

test("an environment variable can turn a switch off", async () => {
  const args = ["agent", "--config", "/nonexistent", "--cycles", "1"];
  for (const value of ["false", "0", ""]) {
    const { stderr } = await run(args, { KUBEVIRT_TELEMETRY_ONCE: value });
    assert.match(stderr, /E_CONFIG_UNREADABLE/, value);
  }
  await assertUsage(args, /--once and --cycles exclude each other/, { KUBEVIRT_TELEMETRY_ONCE: "true" });
});

test("--libvirt-socket can be repeated, and its variable has commas, also with blanks", async (t) => {
  const config = await configFile(t, UNREACHED);
  const dir = path.dirname(config);
  const sockets = ["a", "b", "c"].map((name) => path.join(dir, name));
  const [a, b, c] = sockets as [string, string, string];
  const args = ["agent", "--config", config, "--once", "--node-name", "n1"];
  const runs = [
    await run([...args, "--libvirt-socket", a, b, "--libvirt-socket", c]),
    await run(args, { KUBEVIRT_TELEMETRY_LIBVIRT_SOCKET: sockets.join(", ") }),
    await run([...args, "--libvirt-socket", a, b, c], { KUBEVIRT_TELEMETRY_LIBVIRT_SOCKET: "/nonexistent" }),
  ];
  for (const { exitCode, stdout } of runs) {
    const started = entries(stdout).find(({ msg }) => msg === "started");
    assert.deepEqual([started?.sockets, started?.node], [sockets, "n1"]);
    assert.equal(exitCode, 1, "nothing was collected");
  }
});

test("--log-level silent logs nothing and keeps the exit code", async (t) => {
  const config = await configFile(t, UNREACHED);
  const args = ["agent", "--config", config, "--once", "--libvirt-socket", `${config}.absent`];
  assert.deepEqual(await run([...args, "--log-level", "silent"]), { exitCode: 1, stdout: "", stderr: "" });
});

test("validate prints faults and exits with 1, or exits with 0 without faults", async (t) => {
  const file = await configFile(t, faulty(1001));
  assert.deepEqual(await run(["validate", "docs/examples/influxdb2.yaml", file]), {
    exitCode: 1,
    stdout: `${file}:12: spec.priority: must be -1000 to 1000, is 1001\n`,
    stderr: "",
  });
  assert.deepEqual(await run(["validate", "docs/examples/influxdb1.yaml", "docs/examples/influxdb2.yaml"]), {
    exitCode: 0,
    stdout: "",
    stderr: "",
  });
});

test("simulate with an unusable path exits with 1", async () => {
  const { exitCode, stderr } = await run(["simulate", "--socket", "/nonexistent/s"]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /^error: E_SIMULATOR: cannot serve on \/nonexistent\/s: /);
});

test("the stop signal ends agent and simulate with exit code 0", async (t) => {
  const config = await configFile(t, UNREACHED);
  const dir = path.dirname(config);
  for (const [args, fits] of [
    [["agent", "--config", config, "--libvirt-socket", path.join(dir, "absent")], /"started"/],
    [["simulate", "--socket", path.join(dir, "s")], /^10 domains with 2 NICs and 3 disks each/],
  ] as const) {
    const { stop, exitCode } = await running(t, args, fits);
    stop();
    assert.equal(await exitCode, 0, args[0]);
  }
});

test("agent --once --print writes the lines of a cycle to standard output, without a configuration", async (t) => {
  const socket = path.join(await temporaryDirectory(t), "libvirt-sock-ro");
  await running(t, ["simulate", "--socket", socket, "--domains", "2", "--nics", "1", "--disks", "1"], /2 domains/);
  const args = ["agent", "--once", "--print", "--libvirt-socket", ` ${socket} `];
  const { exitCode, stdout, stderr } = await run(args);
  const measurements = parseLines(stdout).map(({ measurement }) => measurement);
  const ofOneVm = ["vm_metrics", "vm_devices", "vm_devices", "vm_totals"];
  assert.deepEqual([exitCode, measurements], [0, [...ofOneVm, ...ofOneVm]]);
  assert.match(stderr, /"started"/, "the log is not among the lines");
  const spool = { KUBEVIRT_TELEMETRY_SPOOL_DIR: path.dirname(socket) };
  await assertUsage(args, /--print delivers nothing/, spool);
  assert.equal((await run([...args, "--spool-dir="], spool)).exitCode, 0, "an empty option overrides the variable");
});
