import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { drain, failsWith, KubeBench, THINGS } from "../support/kube-bench.ts";
import { skipWithoutOpenssl } from "../support/openssl.ts";

const skip = skipWithoutOpenssl("requests to the Kubernetes API");
const LIST = { path: THINGS };

void suite("requests to the Kubernetes API", { skip }, () => {
  test("an answer with any status is a value", async () => {
    await using bench = await KubeBench.start();
    bench.server.fault = { kind: "status", status: 503, body: "etcd does not answer", headers: { "retry-after": "3" } };
    const { status, headers, body } = await bench.api.request(LIST);
    assert.deepEqual([status, headers["retry-after"], body], [503, "3", "etcd does not answer"]);
    assert.ok("status" in (await bench.api.watch({ ...LIST, lifetimeMs: 1_000 })));
  });

  test("a request has its query, body and headers", async () => {
    await using bench = await KubeBench.start();
    const query = { labelSelector: "kubevirt.io/nodeName=ä & b", limit: 5 };
    await bench.api.request({
      method: "PUT",
      path: THINGS,
      query,
      body: { metadata: { name: "ü" } },
      contentType: "application/x",
    });
    const [request] = bench.server.requests;
    assert.deepEqual([request?.method, request?.path, request?.query], ["PUT", THINGS, { ...query, limit: "5" }]);
    const { authorization, "content-type": type, "user-agent": agent } = request?.headers ?? {};
    assert.deepEqual([authorization, type, agent], ["Bearer a-token", "application/x", "bench"]);
  });

  test("the path of the API server is a prefix of every request", async () => {
    await using bench: KubeBench = await KubeBench.start({
      readAccess: () => bench.access("t", `${bench.server.url}/k8s/clusters/c-1/`),
    });
    await bench.api.request(LIST);
    assert.equal(bench.server.requests[0]?.path, `/k8s/clusters/c-1${THINGS}`);
  });

  test("invalid JSON and an incomplete body are errors that do not quote the body", async () => {
    await using bench = await KubeBench.start();
    const body = '{"data":{"password":"hunter2"';
    bench.server.faults.push({ kind: "bytes", bytes: body, then: "end" });
    await assert.rejects(bench.api.request(LIST), failsWith("E_KUBE_PROTOCOL", /^(?!.*hunter)/));
    bench.server.faults.push({ kind: "bytes", bytes: body, then: "resetStream" });
    await assert.rejects(bench.api.request(LIST), failsWith("E_KUBE_CLOSED", /^(?!.*hunter)/));
    bench.server.faults.push({ kind: "bytes", bytes: body, then: "end" });
    const watch = await bench.api.watch({ ...LIST, lifetimeMs: 60_000 });
    assert.ok("lines" in watch);
    await assert.rejects(drain(watch), failsWith("E_KUBE_CLOSED", /inside a line/));
  });

  test("a watch line and an answer over 4 MiB are rejected", async () => {
    await using bench = await KubeBench.start();
    bench.server.faults.push({ kind: "bytes", bytes: "x".repeat(4 * 1024 * 1024 + 1), then: "hang" });
    const watch = await bench.api.watch({ ...LIST, lifetimeMs: 60_000 });
    assert.ok("lines" in watch);
    await assert.rejects(drain(watch), failsWith("E_KUBE_PROTOCOL", /a line has more than 4194304 bytes/));
    bench.server.faults.push({ kind: "bytes", bytes: "x".repeat(4 * 1024 * 1024 + 1), then: "hang" });
    await assert.rejects(bench.api.request(LIST), failsWith("E_KUBE_PROTOCOL", /an answer has more than/));
    await bench.until("the streams are gone", () => bench.server.streams.size === 0);
  });
});
