import assert from "node:assert/strict";
import { Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { openHttp } from "../../src/delivery/http/http-client.ts";
import { addressTimeoutMs } from "../../src/lib/connect-timeout.ts";
import { runProcess } from "../support/command-line.ts";

const never = new AbortController().signal;

/** Returns the time that each new connection of this process has for one of several addresses. */
function addressTimeouts(t: TestContext): (number | undefined)[] {
  const timeouts: (number | undefined)[] = [];
  const connect = Reflect.get(Socket.prototype, "connect");
  t.mock.method(Socket.prototype, "connect", function (this: Socket, ...args: unknown[]) {
    const [options] = args.flat() as { readonly autoSelectFamilyAttemptTimeout?: number }[];
    timeouts.push(options?.autoSelectFamilyAttemptTimeout);
    return Reflect.apply(connect, this, args) as Socket;
  });
  return timeouts;
}

for (const [scheme, mode] of [
  ["http", "Plaintext"],
  ["https", "Verify"],
] as const) {
  test(`a target that has two addresses and a slow handshake is reached (${scheme})`, async (t) => {
    const timeouts = addressTimeouts(t);
    const url = `${scheme}://127.0.0.1:1`;
    const client = openHttp({ url, tls: { mode }, timeoutMs: 10_000, path: "/", headers: {}, secrets: [] });
    await client.post(Buffer.from(""), never);
    client.close();
    assert.deepEqual(timeouts, [2_500]);
  });
}

test("a proxy or an API server that has two addresses and a slow handshake is reached", async () => {
  const print = "process.on('exit', () => console.log(net.getDefaultAutoSelectFamilyAttemptTimeout()))";
  const variables = {
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(`import net from "node:net"; ${print}`)}`,
  };
  const { stdout } = await runProcess(["--version"], variables);
  assert.match(stdout, /^2500$/m);
});

test("a short timeout leaves each address the time that Node gives it, and a long one no more than a handshake takes", () => {
  assert.deepEqual([1_000, 10_000, 300_000].map(addressTimeoutMs), [250, 2_500, 5_000]);
});
