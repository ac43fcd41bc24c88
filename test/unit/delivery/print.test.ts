import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { PRINT } from "../../../src/delivery/print.ts";
import { compressLines } from "../../../src/spool/gzip-member.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { targetSettings } from "../../support/delivery.ts";

async function frame(text: string): Promise<{ payload: Uint8Array; rawBytes: number }> {
  const lines = Buffer.from(text);
  return { payload: await compressLines(lines), rawBytes: lines.length };
}

async function print(stdout: Writable, signal = new AbortController().signal) {
  const body = await PRINT.body([await frame("a v=1i 1\n"), await frame("b v=2i 2\n")]);
  const transport = PRINT.open(targetSettings(), { clock: new FakeClock(), stdout });
  return transport.send({ body, lines: 2 }, signal);
}

test("the lines of all frames are written in order, uncompressed, and are delivered", async () => {
  const written: Buffer[] = [];
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk);
      done();
    },
  });
  assert.deepEqual(await print(stdout), { kind: "delivered" });
  assert.equal(Buffer.concat(written).toString(), "a v=1i 1\nb v=2i 2\n");
});

test("lines that standard output does not take are not delivered", async () => {
  const stdout = new Writable({
    write(_chunk, _encoding, done) {
      done(new Error("no space left"));
    },
  });
  stdout.on("error", () => undefined);
  const outcome = await print(stdout);
  assert.deepEqual(outcome, { kind: "retry", reason: "TargetUnreachable", detail: "standard output: no space left" });
});

test("an agent that prints into a pipe whose reader has stopped reading can end", async () => {
  const stop = new AbortController();
  const blocked = new Writable({
    write: () => {
      setImmediate(() => {
        stop.abort();
      });
    },
  });
  const outcome = print(blocked, stop.signal);
  assert.equal((await outcome).kind, "retry");
});
