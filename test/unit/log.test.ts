import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test, type TestContext } from "node:test";
import { createLogger, type LogFormat, type LogLevel, type LogStream } from "../../src/log.ts";
import { FakeClock } from "../support/fake-clock.ts";

/** What no line may have besides the newline at its end. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const NASTY = "a\x1b[2J\x07\r\n\0\u009b\u202e\u2028\ud800z";

interface Options {
  readonly level?: LogLevel;
  readonly format?: LogFormat;
  readonly isTTY?: boolean;
}

async function fixture({ level = "info", format, isTTY = false }: Options = {}) {
  const clock = new FakeClock();
  const stream = new PassThrough();
  const log = await createLogger({ level, format }, Object.assign(stream, { isTTY }) as unknown as LogStream, clock);
  const text = (): string => (stream.read() as Buffer | null)?.toString() ?? "";
  const entries = (): Record<string, unknown>[] =>
    text()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { clock, log, text, entries };
}

/** Lets the minute of the report about lines that were left out pass. */
function mockTimer(t: TestContext): () => void {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  return () => {
    t.mock.timers.tick(60_000);
  };
}

test("a line has its level, time, fields and message", async () => {
  const { log, entries } = await fixture();
  log.info({ target: "main", lines: 5, list: ["a", { b: true }], none: undefined }, "delivered");
  const [{ time, ...line } = {}] = entries();
  assert.deepEqual(line, { level: "info", target: "main", lines: 5, list: ["a", { b: true }], msg: "delivered" });
  assert.ok(typeof time === "string" && !Number.isNaN(Date.parse(time)));
});

for (const isTTY of [false, true])
  test(`texts of strangers are printable in every place of a line, ${isTTY ? "on a terminal" : "as JSON"}`, async () => {
    const { log, text } = await fixture({ isTTY });
    log.warn({ endpoint: NASTY, domains: [NASTY, { [NASTY]: NASTY }] }, NASTY);
    const lines = text().split("\n").filter(Boolean);
    for (const line of lines) assert.doesNotMatch(line, UNSAFE, JSON.stringify(line));
    assert.equal(lines.length, 1);
  });

test("an entry with lists is one line on a terminal", async () => {
  const { log, text } = await fixture({ isTTY: true });
  log.info(
    { families: ["Metrics", "Devices", "Totals"], targets: [{ name: "main" }, { name: "other" }] },
    "configured",
  );
  assert.deepEqual(text().split("\n").slice(1), [""]);
});

test("--log-format decides the format, whether or not the output is a terminal", async () => {
  for (const isTTY of [false, true]) {
    const json = await fixture({ format: "json", isTTY });
    json.log.info({ lines: 5 }, "delivered");
    assert.equal(json.entries()[0]?.["lines"], 5);
    const plain = await fixture({ format: "text", isTTY });
    plain.log.info({ lines: 5 }, "delivered");
    assert.match(plain.text(), /INFO: delivered \{"lines":5\}\n$/);
  }
});

test("an error is logged with a stack, in which its message is one line", async () => {
  const { log, entries } = await fixture();
  const cause = new RangeError(NASTY);
  log.error({ err: new Error(`${NASTY}\n{"level":"info"}`, { cause }) }, "failed");
  const [{ err } = {}] = entries() as {
    err: { type: string; message: string; stack: string; cause: { type: string } };
  }[];
  assert.ok(err !== undefined);
  const [head = "", ...places] = err.stack.split("\n");
  assert.deepEqual([err.type, err.cause.type, head], ["Error", "RangeError", `Error: ${err.message}`]);
  assert.match(places[0] ?? "", /^ {4}at .*log\.test\.ts/);
  for (const line of [err.message, head, ...places]) assert.doesNotMatch(line, UNSAFE);
});

test("a line of megabytes is cut", async () => {
  const { log, text } = await fixture();
  const huge = "x".repeat(1 << 20);
  log.warn(
    { domain: huge, list: Array(100_000).fill("x"), err: new Error(huge), deep: { a: { b: { c: { d: huge } } } } },
    huge,
  );
  assert.ok(text().length < 20_000);
});

test("secrets are redacted", async () => {
  const { log, entries } = await fixture();
  log.info({ token: "a", target: { password: "b" } }, "configured");
  assert.deepEqual(
    entries().map(({ token, target }) => [token, target]),
    [["[redacted]", { password: "[redacted]" }]],
  );
});

test("lines over the limit of their code are left out, and their number is logged after a minute", async (t) => {
  const pass = mockTimer(t);
  const { clock, log, entries } = await fixture();
  for (let index = 0; index < 200; index++) {
    log.warn({ code: "E_A" }, `random ${index}`);
    log.info({ endpoint: "/a" }, "libvirt answers again");
  }
  log.info("configuration changed");
  assert.equal(entries().length, 21);
  await clock.advance(60_000);
  pass();
  const [{ level, leftOut, msg } = {}, ...others] = entries();
  assert.deepEqual([level, leftOut], ["warn", { E_A: 190, "libvirt answers again": 190 }]);
  assert.equal(msg, "380 log lines were left out: too many in a minute");
  pass();
  assert.deepEqual([others, entries()], [[], []]);
});

test("debug lines have no limit, and take nothing from the limit of others", async () => {
  const { log, entries } = await fixture({ level: "debug" });
  for (let index = 0; index < 500; index++) log.debug({ code: "E_A" }, "not a failure yet");
  log.warn({ code: "E_A" }, "a failure");
  assert.equal(entries().length, 501);
});
