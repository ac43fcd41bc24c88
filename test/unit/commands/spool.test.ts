import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { exportCommand, inspectCommand, verifyCommand } from "../../../src/commands/spool.ts";
import { encodePreamble } from "../../../src/spool/frame-format.ts";
import { assertUsage, run } from "../../support/command-line.ts";
import { batchOf } from "../../support/delivery.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { appendNumber, contentOf, MAIN, SpoolBench } from "../../support/spool-bench.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

/** Fills a spool with the lines 0 to 4 for two targets. One has taken three lines. */
async function filled(t: TestContext): Promise<string> {
  const directory = await temporaryDirectory(t);
  const clock = new FakeClock();
  await using bench = await SpoolBench.open(directory, { clock });
  const { spool } = bench;
  for (const cursor of ["central", "other", "other/2", "idle"]) spool.cursor(cursor);
  for (let number = 0; number < 5; number++) {
    await appendNumber(spool, number, ["central", number < 4 ? "other" : "other/2"]);
    await clock.advance(1_000);
  }
  const other = spool.cursor("other");
  const taken = (await other.read({ maxLines: 3, maxRawBytes: 1_000 })).at(-1);
  other.acknowledge(taken?.sequence ?? 0n);
  return directory;
}

async function printed(command: typeof inspectCommand, directory: string): Promise<{ code: number; lines: string[] }> {
  const lines: string[] = [];
  const code = await command(directory, (line) => lines.push(line.replaceAll(directory, "DIR")));
  return { code, lines };
}

async function exported(directory: string, options: Parameters<typeof exportCommand>[1] = {}): Promise<string> {
  const parts: Uint8Array[] = [];
  const leftOut: string[] = [];
  const write = (bytes: Uint8Array): Promise<void> => {
    parts.push(bytes);
    return Promise.resolve();
  };
  const code = await exportCommand(directory, options, write, (line) => leftOut.push(line));
  assert.deepEqual([code, leftOut], [0, []]);
  return Buffer.concat(parts).toString();
}

test("inspect prints the content, its time and the backlog of each target", async (t) => {
  const directory = await filled(t);
  assert.deepEqual(await printed(inspectCommand, directory), {
    code: 0,
    lines: [
      "DIR/v1: not in use, 1 segment, 5 lines in 5 frames of 0.5 KiB, from 2023-11-14T22:13:20.000Z to 2023-11-14T22:13:24.000Z",
      "  target central: 5 lines in 5 frames of 0.5 KiB, from 2023-11-14T22:13:20.000Z to 2023-11-14T22:13:24.000Z",
      "  target other: 2 lines in 2 frames of 0.2 KiB, from 2023-11-14T22:13:23.000Z to 2023-11-14T22:13:24.000Z",
      "  target idle: no backlog",
    ],
  });
});

test("inspect works while an agent uses the spool, and reports it", async (t) => {
  const directory = await temporaryDirectory(t);
  await using bench = await SpoolBench.open(directory);
  bench.spool.cursor("a");
  await appendNumber(bench.spool, 1);
  const home = path.join(directory, MAIN);
  const before = await readdir(home);
  const { lines } = await printed(inspectCommand, directory);
  assert.match(lines[0] ?? "", /^DIR\/v1: in use, 1 segment, 1 line in 1 frame/);
  await writeFile(path.join(home, "lock"), "");
  assert.match((await printed(inspectCommand, directory)).lines[0] ?? "", /maybe in use/);
  assert.deepEqual(await readdir(home), before);
});

test("inspect reports newer versions, unfinished writes and damage", async (t) => {
  const directory = await filled(t);
  const [segment = ""] = await segmentsOf(directory);
  const bytes = await readFile(segment);
  bytes[60] = 0;
  await writeFile(segment, Buffer.concat([bytes, Buffer.from("half")]));
  await writeFile(path.join(directory, MAIN, "00000000000000000000.seg.x"), "");
  await mkdir(path.join(directory, "v2-0a"));
  const { lines } = await printed(inspectCommand, directory);
  assert.deepEqual(lines.slice(-3), [
    "  4 bytes of an unfinished write",
    "  1 place damaged: run spool verify",
    "DIR/v2-0a: written by a newer version",
  ]);
  await writeFile(segment, encodePreamble(2));
  assert.ok(
    (await printed(inspectCommand, directory)).lines.some((line) => /seg: written by a newer version$/.test(line)),
  );
});

test("verify accepts an intact spool, also with an unfinished write", async (t) => {
  const directory = await filled(t);
  assert.deepEqual(await printed(verifyCommand, directory), { code: 0, lines: ["5 frames intact, 0 places damaged"] });
  const [segment = ""] = await segmentsOf(directory);
  await truncate(segment, (await readFile(segment)).length - 1);
  assert.deepEqual(await printed(verifyCommand, directory), { code: 0, lines: ["4 frames intact, 0 places damaged"] });
});

test("verify prints every damaged place, also in consumed frames, and fails", async (t) => {
  const directory = await filled(t);
  const [segment = ""] = await segmentsOf(directory);
  const whole = await readFile(segment);
  for (let offset = 16; offset < whole.length - 100; offset += 7) {
    const damaged = Buffer.from(whole);
    damaged[offset] = (damaged[offset] ?? 0) ^ 1;
    await writeFile(segment, damaged);
    const { code, lines } = await printed(verifyCommand, directory);
    assert.equal(code, 1);
    const [, from = "", bytes = ""] =
      /seg: (?=(\d+) bytes)\d+ bytes from offset (\d+) are damaged$/.exec(lines[0] ?? "") ?? [];
    assert.ok(Number(bytes) <= offset && offset < Number(bytes) + Number(from), lines[0]);
    assert.equal(lines[1], "4 frames intact, 1 place damaged");
  }
});

test("a truncated end is damage in every segment except the newest", async (t) => {
  const directory = await filled(t);
  const [segment = ""] = await segmentsOf(directory);
  await truncate(segment, (await readFile(segment)).length - 1);
  await writeFile(path.join(directory, MAIN, "00000000000000000009.seg"), encodePreamble());
  assert.equal((await printed(verifyCommand, directory)).code, 1);
});

test("export writes all lines in order, or the backlog of a target", async (t) => {
  const directory = await filled(t);
  const line = (number: number): string => `m f=${number}i 1\n`;
  assert.equal(await exported(directory), [0, 1, 2, 3, 4].map(line).join(""));
  assert.equal(await exported(directory, { target: "other" }), [3, 4].map(line).join(""));
  assert.equal(await exported(directory, { target: "idle" }), "");
});

test("export names each part that it leaves out and fails, and takes no unfinished write for one", async (t) => {
  const directory = await filled(t);
  const [segment = ""] = await segmentsOf(directory);
  const bytes = await readFile(segment);
  await writeFile(segment, Buffer.concat([bytes, Buffer.from("half")]));
  assert.equal((await run(["spool", "export", directory])).exitCode, 0);
  const damaged = Buffer.from(bytes);
  damaged[60] = 0;
  await writeFile(segment, damaged);
  const newer = path.join(directory, MAIN, "00000000000000000009.seg");
  await writeFile(newer, encodePreamble(2));
  await mkdir(path.join(directory, "v2-0a"));
  const { exitCode, stdout, stderr } = await run(["spool", "export", directory, "--target", "central"]);
  assert.deepEqual([exitCode, stdout.split("\n").length], [1, 5]);
  const [ofDirectory, ofDamage, ofSegment, ...rest] = stderr.split("\n");
  assert.equal(ofDirectory, `error: left out: ${path.join(directory, "v2-0a")}: written by a newer version`);
  assert.match(ofDamage ?? "", /^error: left out: .*\.seg: \d+ bytes from offset \d+ are damaged$/);
  assert.equal(ofSegment, `error: left out: ${newer}: written by a newer version`);
  assert.deepEqual(rest, [""]);
});

test("verify does not accept a spool of a newer version, which it cannot check", async (t) => {
  const directory = await temporaryDirectory(t);
  await mkdir(path.join(directory, "v2-0a"));
  assert.deepEqual(await printed(verifyCommand, directory), {
    code: 1,
    lines: [
      "DIR/v2-0a: written by a newer version, not checked",
      "0 frames intact, 0 places damaged, 1 part not checked",
    ],
  });
});

test("the commands change nothing", async (t) => {
  const directory = await filled(t);
  const before = await contentOf(path.join(directory, MAIN));
  for (const command of [inspectCommand, verifyCommand]) await printed(command, directory);
  await exported(directory);
  assert.deepEqual(await contentOf(path.join(directory, MAIN)), before);
  assert.deepEqual(await readdir(directory), [MAIN]);
});

test("a directory without a spool and a missing directory are errors", async (t) => {
  const directory = await temporaryDirectory(t);
  for (const [dir, reason] of [
    [directory, "it contains no spool"],
    [path.join(directory, "none"), "ENOENT"],
  ] as const) {
    const { exitCode, stdout, stderr } = await run(["spool", "inspect", dir]);
    assert.deepEqual([exitCode, stdout], [1, ""]);
    assert.match(stderr, new RegExp(`^error: E_SPOOL_NOT_FOUND: cannot inspect ${dir}: ${reason}`));
  }
  await assertUsage(["spool"], /Usage: kubevirt-telemetry spool/);
  await assertUsage(["spool", "verify"], /missing required argument 'dir'/);
});

test("export writes to a pipe, also if the reader closes it early", async (t) => {
  const directory = await filled(t);
  {
    await using bench = await SpoolBench.open(directory, { clock: new FakeClock() });
    bench.spool.cursor("big");
    for (let round = 0; round < 20; round++) await bench.spool.append(batchOf(1_000), ["big"]);
  }
  const verified = await run(["spool", "verify", directory]);
  assert.deepEqual(verified, { exitCode: 0, stdout: "25 frames intact, 0 places damaged\n", stderr: "" });
  const main = path.join(import.meta.dirname, "../../../src/main.ts");
  const shell = async (pipe: string): Promise<string> => {
    const command = `set -o pipefail; "${process.execPath}" "${main}" spool export "${directory}" | ${pipe}`;
    return (await promisify(execFile)("bash", ["-c", command])).stdout;
  };
  assert.equal(await shell("wc -l"), "20005\n");
  assert.equal(await shell("head -n 1"), "m f=0i 1\n");
  await rm(directory, { recursive: true });
});

async function segmentsOf(directory: string): Promise<string[]> {
  const home = path.join(directory, MAIN);
  return (await readdir(home)).filter((name) => name.endsWith(".seg")).map((name) => path.join(home, name));
}

test("export of an unknown target exits with 1 and names the targets that there are", async (t) => {
  const directory = await filled(t);
  const { exitCode, stdout, stderr } = await run(["spool", "export", directory, "--target", "nope"]);
  assert.deepEqual([exitCode, stdout], [1, ""]);
  assert.ok(stderr.endsWith(`${directory} has no target nope: its targets are central, idle, other\n`), stderr);
  assert.equal(await exported(directory, { target: "idle" }), "");
});

test("export of a target from a spool without any target exits with 1", async (t) => {
  const directory = await temporaryDirectory(t);
  await (await SpoolBench.open(directory))[Symbol.asyncDispose]();
  const { exitCode, stderr } = await run(["spool", "export", directory, "--target", "nope"]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /has no target nope: it has no target$/m);
});
