import assert from "node:assert/strict";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { test } from "node:test";
import { INFLUX } from "../../src/delivery/influx/influx.ts";
import type { Outcome } from "../../src/delivery/outcome.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { compressLines } from "../../src/spool/gzip-member.ts";
import { targetSettings } from "../support/delivery.ts";
import { FakeInflux } from "../support/fake-influx.ts";

const never = new AbortController().signal;
const TIME = "1700000000000000000";
/** The 20th byte of the line is the first of two of a character. */
const CUT_IN_CHARACTER = `vm_metrics,name=abcü cpu_time= ${TIME}`;

async function send(url: string, lines: string): Promise<Outcome> {
  const protocol = { version: "v3", database: "metrics", api: "Native" } as const;
  const transport = INFLUX.open(targetSettings({ url, protocol, timeoutMs: 5_000 }), { clock: systemClock });
  try {
    return await transport.send({ body: await compressLines(Buffer.from(`${lines}\n`)), lines: 1 }, never);
  } finally {
    transport.close();
  }
}

/** Sends a line to a server that does this to each connection. */
async function sendTo(accept: (socket: Socket) => void): Promise<Outcome> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    accept(socket);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  try {
    return await send(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, `m x=1 ${TIME}`);
  } finally {
    server.close();
  }
}

function isSuspicion(outcome: Outcome): boolean {
  assert.equal(outcome.kind, "retry");
  return "maybePoison" in outcome;
}

test("a connection that is closed after the request makes its lines suspect", async () => {
  for (const close of ["destroy", "resetAndDestroy", "end"] as const)
    assert.ok(isSuspicion(await sendTo((socket) => socket.once("data", () => socket[close]()))), close);
});

test("a server that cannot be reached makes no line suspect", async () => {
  assert.equal(isSuspicion(await send("http://127.0.0.1:1", `m x=1 ${TIME}`)), false);
});

test("InfluxDB 3.6 closes the connection at a bad line with a character across byte 20, and 3.10 answers", async () => {
  for (const [release, closes] of [
    ["3.6", true],
    ["3.10", false],
  ] as const) {
    await using influx = await FakeInflux.start({ version: "v3", release });
    const outcome = await send(influx.url, CUT_IN_CHARACTER);
    assert.equal(
      outcome.kind === "retry" && outcome.maybePoison === true,
      closes,
      `${release}: ${JSON.stringify(outcome)}`,
    );
  }
});
