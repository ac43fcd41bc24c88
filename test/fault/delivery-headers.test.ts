// A gateway that lets a request through only with a header of the tenant, and repeats the headers in its answers.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { createGunzip } from "node:zlib";
import { atEnd } from "../support/at-end.ts";
import { batchOf, DeliveryBench, secret, targetSettings, until } from "../support/delivery.ts";

interface Gateway {
  readonly url: string;
  /** The lines of each tenant. */
  readonly stored: ReadonlyMap<string, readonly string[]>;
}

async function startGateway(t: TestContext, key: string): Promise<Gateway> {
  const stored = new Map<string, readonly string[]>();
  const server = createServer((request, response) => {
    const { "x-scope-orgid": tenant, "x-api-key": given } = request.headers;
    void text(request.pipe(createGunzip())).then((lines) => {
      if (typeof tenant === "string" && given === key) {
        stored.set(tenant, [...(stored.get(tenant) ?? []), ...lines.trimEnd().split("\n")]);
        response.writeHead(204).end();
      } else response.writeHead(401).end(`no tenant or wrong key: ${String(tenant)}, ${String(given)}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stored };
}

test("a server that requires headers gets them, and no text shows the secret one", async (t) => {
  const gateway = await startGateway(t, "the-new-key");
  await using bench = new DeliveryBench();
  const withKey = (value: string): ReturnType<typeof targetSettings> =>
    targetSettings({
      url: gateway.url,
      headers: [
        { name: "X-Scope-OrgID", value: "team-a" },
        { name: "X-Api-Key", value: secret(value) },
      ],
    });
  const sender = bench.start(withKey("the-old-key"));
  await bench.append(batchOf(3));
  await until("the old key is rejected", () => sender.state.reason === "TargetUnauthorized");
  assert.match(bench.log.of("failing").join("\n"), /wrong key: team-a, \[redacted\]/);
  sender.update(withKey("the-new-key"));
  assert.equal(await sender.drain(new AbortController().signal), true);
  assert.equal(gateway.stored.get("team-a")?.length, 3);
  assert.ok(!/the-(old|new)-key/.test(bench.everything()));
});
