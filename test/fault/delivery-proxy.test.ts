import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { ProxyEnvironment } from "../../src/delivery/http/proxy.ts";
import type { Sender } from "../../src/delivery/sender.ts";
import type { EffectiveTarget } from "../../src/config/resolve.ts";
import { CertificateAuthority, type KeyPair } from "../support/certificates.ts";
import { batchOf, DeliveryBench, secret, targetSettings, until } from "../support/delivery.ts";
import { FakeInflux } from "../support/fake-influx.ts";
import { BEHIND_PROXY, behindProxy, HttpProxy } from "../support/http-proxy.ts";
import { skipWithoutOpenssl } from "../support/openssl.ts";

const TOKEN = "s3cr3t-t0ken-behind-a-proxy";
const credentials = { kind: "token", token: secret(TOKEN) } as const;
const never = new AbortController().signal;

interface Attempt extends Partial<EffectiveTarget> {
  readonly bench: DeliveryBench;
  readonly proxies: ProxyEnvironment;
}

/** Starts a sender with five lines to deliver. */
async function begin({ bench, proxies, ...settings }: Attempt): Promise<Sender> {
  const sender = bench.start(targetSettings({ credentials, ...settings }), { proxies });
  await bench.append(batchOf(5));
  return sender;
}

test("for a target without https, a proxy is used only if plain text is allowed", async () => {
  await using influx = await FakeInflux.start({ version: "v2", authorization: `Token ${TOKEN}` });
  await using proxy = await HttpProxy.start();
  await using bench = new DeliveryBench();
  const proxies = { http_proxy: `http://${proxy.address}` };
  const url = behindProxy(influx.url);
  const sender = await begin({ bench, proxies, url });
  assert.equal(await sender.drain(never), true);
  assert.equal(influx.stored.length, 5);
  assert.match(proxy.requests[0]?.target ?? "", /^http:\/\/influx\.example:\d+\/api\/v2\/write\?/);

  await using other = new DeliveryBench();
  const strict = await begin({ bench: other, proxies, url, tls: { mode: "Verify" } });
  await until("it failed", () => strict.state.state === "Failing");
  assert.match(strict.state.detail ?? "", /tls\.mode: Plaintext/);
  assert.equal(proxy.requests.length, 1);
});

for (const variable of ["NO_PROXY", "no_proxy"]) {
  test(`a target that ${variable} names is not reached through the proxy`, async () => {
    await using proxy = await HttpProxy.start();
    await using bench = new DeliveryBench();
    // This name does not resolve, so the request fails without the proxy.
    const proxies = { HTTP_PROXY: `http://${proxy.address}`, [variable]: "invalid" };
    const sender = await begin({ bench, proxies, url: "http://influx.invalid:8086" });
    await until("it failed", () => sender.state.state === "Failing");
    assert.equal(proxy.requests.length, 0);
  });
}

test("a target on this machine is not reached through the proxy", async () => {
  await using influx = await FakeInflux.start({ version: "v2" });
  await using proxy = await HttpProxy.start();
  await using bench = new DeliveryBench();
  const sender = await begin({ bench, proxies: { HTTP_PROXY: `http://${proxy.address}` }, url: influx.url });
  assert.equal(await sender.drain(never), true);
  assert.equal(proxy.requests.length, 0);
});

test("a proxy that requires credentials is reported, and the lines are kept", async () => {
  await using proxy = await HttpProxy.start();
  await using bench = new DeliveryBench();
  proxy.fault = "reject";
  const proxies = { HTTP_PROXY: `http://${proxy.address}` };
  const sender = await begin({ bench, proxies, url: "http://influx.example:8086" });
  await until("it failed", () => sender.state.state === "Failing");
  assert.match(sender.state.detail ?? "", /check HTTP_PROXY .*HTTP 407/);
  assert.equal(sender.backlog.lines, 5);
});

test("a variable that is not the URL of a proxy is reported without its value", async () => {
  await using bench = new DeliveryBench();
  const proxies = { HTTP_PROXY: "http://user:pa55-%zz@127.0.0.1:1" };
  const sender = await begin({ bench, proxies, url: "http://influx.example:8086" });
  await until("it failed", () => sender.state.state === "Failing");
  assert.match(sender.state.detail ?? "", /HTTP_PROXY or HTTPS_PROXY/);
  assert.equal(bench.everything().includes("pa55"), false);
});

suite("https through a proxy", { skip: skipWithoutOpenssl("https through a proxy") }, () => {
  let authority: CertificateAuthority;
  let pair: KeyPair;
  let tls: EffectiveTarget["tls"];

  before(() => {
    authority = new CertificateAuthority("test authority");
    pair = authority.issue("name", `DNS:${BEHIND_PROXY}`);
    tls = { mode: "Verify", ca: authority.cert };
  });
  after(() => {
    authority[Symbol.dispose]();
  });

  for (const variable of ["HTTPS_PROXY", "https_proxy"]) {
    test(`${variable}: the proxy cannot read the tunnel, with or without a scheme in the variable`, async () => {
      await using influx = await FakeInflux.start({ version: "v2", tls: pair, authorization: `Token ${TOKEN}` });
      await using proxy = await HttpProxy.start();
      for (const value of [`http://${proxy.address}`, proxy.address]) {
        await using bench = new DeliveryBench();
        const sender = await begin({ bench, proxies: { [variable]: value }, url: behindProxy(influx.url), tls });
        assert.equal(await sender.drain(never), true);
        await bench.append(batchOf(5, 5));
        assert.equal(await sender.drain(never), true);
      }
      assert.equal(new Set(influx.stored).size, 10);
      const tunnel = { method: "CONNECT", target: new URL(behindProxy(influx.url)).host };
      // One connection serves all requests of a sender.
      assert.deepEqual(
        proxy.requests.map(({ method, target }) => ({ method, target })),
        [tunnel, tunnel],
      );
      assert.doesNotMatch(proxy.seen, new RegExp(`${TOKEN}|vm_metrics|authorization`, "i"));
    });
  }

  test("the proxy's credentials reach only the proxy", async () => {
    await using influx = await FakeInflux.start({ version: "v2", tls: pair });
    await using proxy = await HttpProxy.start();
    await using bench = new DeliveryBench();
    const proxies = { HTTPS_PROXY: `http://user:pa55-w0rd%21@${proxy.address}` };
    const sender = await begin({ bench, proxies, url: behindProxy(influx.url), tls });
    const basic = Buffer.from("user:pa55-w0rd!").toString("base64");
    influx.fault = { kind: "status", status: 403, body: `Basic ${basic}, that is pa55-w0rd!` };
    await until("it failed", () => sender.state.state === "Failing");
    assert.equal(proxy.requests[0]?.headers["proxy-authorization"], `Basic ${basic}`);
    assert.equal(influx.requests[0]?.headers["proxy-authorization"], undefined);
    assert.match(sender.state.detail ?? "", /\[redacted\]/);
    assert.doesNotMatch(bench.everything(), new RegExp(`pa55-w0rd|${basic}|${TOKEN}`));
  });

  test("behind a proxy the certificate is verified before anything is sent", async () => {
    await using influx = await FakeInflux.start({ version: "v2", tls: pair });
    await using proxy = await HttpProxy.start();
    await using bench = new DeliveryBench();
    const proxies = { HTTPS_PROXY: `http://${proxy.address}` };
    const sender = await begin({ bench, proxies, url: behindProxy(influx.url), tls: { mode: "Verify" } });
    await until("it failed", () => sender.state.state === "Failing");
    assert.match(sender.state.detail ?? "", /certificate is not from a known authority/);
    assert.equal(influx.requests.length, 0);
  });

  test("a proxy that rejects the tunnel is reported, and lines are sent once it accepts", async () => {
    await using influx = await FakeInflux.start({ version: "v2", tls: pair });
    await using proxy = await HttpProxy.start();
    await using bench = new DeliveryBench();
    proxy.fault = "reject";
    const proxies = { HTTPS_PROXY: `http://user:pa55-w0rd@${proxy.address}` };
    const sender = await begin({ bench, proxies, url: behindProxy(influx.url), tls });
    await until("it failed twice", () => sender.state.consecutiveFailures >= 2);
    assert.match(sender.state.detail ?? "", /407 Proxy Authentication Required.*check HTTPS_PROXY/);
    assert.equal(bench.everything().includes("pa55-w0rd"), false);
    proxy.fault = undefined;
    assert.equal(await sender.drain(never), true);
    assert.equal(influx.stored.length, 5);
  });

  for (const fault of ["hang", "hang after the answer"] as const) {
    test(`a tunnel that does not get ready (${fault}) is closed at the deadline`, async () => {
      await using influx = await FakeInflux.start({ version: "v2", tls: pair });
      await using proxy = await HttpProxy.start();
      await using bench = new DeliveryBench();
      proxy.fault = fault;
      const proxies = { HTTPS_PROXY: `http://${proxy.address}` };
      const sender = await begin({ bench, proxies, url: behindProxy(influx.url), tls, timeoutMs: 30 });
      let most = 0;
      await until("ten tunnels were closed", () => {
        most = Math.max(most, proxy.openConnections);
        return proxy.requests.length >= 10;
      });
      assert.ok(most <= 2, `${most} connections`);
      assert.match(sender.state.detail ?? "", /no complete answer within 30ms/);
      await sender.stop();
      await until("the proxy has no connection", () => proxy.openConnections === 0);
    });
  }
});
