import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { suite, test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import type { Access } from "../../src/kubernetes/access.ts";
import { KubeError } from "../../src/kubernetes/kube-error.ts";
import { CertificateAuthority } from "../support/certificates.ts";
import { drain, failsWith, KubeBench, THINGS } from "../support/kube-bench.ts";
import { skipWithoutOpenssl } from "../support/openssl.ts";

const skip = skipWithoutOpenssl("access to the Kubernetes API");
const LIST = { path: THINGS };

void suite("the connection to a wrong or broken server", { skip }, () => {
  /** Resolves to the error of a request. */
  async function failure(readAccess: (bench: KubeBench) => Promise<Access>): Promise<KubeError> {
    await using bench: KubeBench = await KubeBench.start({ readAccess: () => readAccess(bench) });
    const error = await bench.api.request(LIST).then(
      () => assert.fail("the request was answered"),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof KubeError);
    assert.deepEqual(bench.events, [`disconnected ${error.code} ${error.message}`]);
    return error;
  }

  test("a certificate of another authority is rejected", async () => {
    using stranger = new CertificateAuthority("stranger");
    const ca = Buffer.from(stranger.cert);
    const error = await failure(async (bench) => {
      const access = await bench.access("t");
      return { ...access, tls: { ...access.tls, ca } };
    });
    assert.match(error.message, /does not name the certificate's authority/);
  });

  test("a certificate for another name is rejected", async () => {
    const error = await failure((bench) => bench.access("t", bench.server.url.replace("127.0.0.1", "localhost")));
    assert.match(error.message, /the certificate is for another name/);
  });

  test("a server that speaks TLS but not HTTP/2 has an error of its own", async () => {
    using authority = new CertificateAuthority("kubernetes");
    const server = createTlsServer(authority.issue("old", "IP:127.0.0.1"), (socket) =>
      socket.on("error", () => undefined),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const error = await failure(async (bench) => {
      const access = await bench.access("t", `https://127.0.0.1:${port}`);
      return { ...access, tls: { ...access.tls, ca: Buffer.from(authority.cert) } };
    });
    server.close();
    assert.deepEqual([error.code, error.message], ["E_KUBE_PROTOCOL", `127.0.0.1:${port} does not speak HTTP/2`]);
  });

  test("a connection attempt without an answer ends after ten seconds", async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    await using bench: KubeBench = await KubeBench.start({
      readAccess: () => bench.access("t", `https://127.0.0.1:${port}`),
    });
    const request = assert.rejects(bench.api.request(LIST), /no connection to 127\.0\.0\.1:\d+ within 10000 ms/);
    await bench.until("it is connected", () => sockets.length === 1);
    await bench.clock.advance(10_000);
    await request;
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});

void suite("a rejected token", { skip }, () => {
  /** Starts a server that accepts the token `new`. The client gets `tokens` one after the other and records them in `reads`. */
  async function rotated(tokens: readonly string[], reads: string[] = []): Promise<KubeBench> {
    const bench: KubeBench = await KubeBench.start({
      readAccess: () => {
        const token = tokens[Math.min(reads.length, tokens.length - 1)] ?? "";
        reads.push(token);
        return bench.access(token);
      },
    });
    bench.server.tokens.add("new");
    return bench;
  }

  test("is read again, and the request is retried on the same connection", async () => {
    const reads: string[] = [];
    await using bench = await rotated(["old", "new"], reads);
    assert.equal((await bench.api.request(LIST)).status, 200);
    const watch = await bench.openWatch();
    bench.server.endWatches();
    assert.deepEqual(await drain(watch), []);
    assert.deepEqual(
      bench.server.requests.map(({ headers }) => headers.authorization),
      ["Bearer old", "Bearer new", "Bearer new"],
    );
    assert.deepEqual([reads, bench.server.totalConnections], [["old", "new"], 1]);
  });

  test("is read again once for requests that are rejected at the same time", async () => {
    const reads: string[] = [];
    await using bench = await rotated(["old", "new"], reads);
    const answers = await Promise.all(Array.from({ length: 10 }, () => bench.api.request(LIST)));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
    assert.deepEqual(reads, ["old", "new"]);
    assert.equal(bench.server.totalConnections, 1);
  });

  test("results in the answer 401 after one retry", async () => {
    await using bench = await rotated(["old"]);
    assert.equal((await bench.api.request(LIST)).status, 401);
    assert.equal(bench.server.requests.length, 2);
    assert.ok("status" in (await bench.api.watch({ ...LIST, lifetimeMs: 1_000 })));
  });

  test("causes a new connection if the certificates have changed", async () => {
    let reads = 0;
    await using bench: KubeBench = await KubeBench.start({
      readAccess: async () => {
        const access = await bench.access(reads++ === 0 ? "old" : "new");
        return { ...access, tls: { ...access.tls, ...(reads > 1 && { servername: "kubernetes" }) } };
      },
    });
    bench.server.tokens.add("new");
    const request = bench.ask();
    // The certificate is only valid for the address, so the error shows a connection with the new name.
    await assert.rejects(request, failsWith("E_KUBE_UNREACHABLE", /for another name/));
    assert.equal(bench.server.totalConnections, 2);
  });

  test("is not shown in events or by inspect", async () => {
    await using bench = await rotated(["very-secret"]);
    bench.reflect();
    await bench.until("it is denied", () => bench.of("denied").length === 1);
    await bench.server.kill();
    await bench.passUntil("the connection is lost", () => bench.of("disconnected").length > 0);
    assert.equal(bench.everything().includes("very-secret"), false);
  });
});
