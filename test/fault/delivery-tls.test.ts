import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { EffectiveTarget } from "../../src/config/resolve.ts";
import { CertificateAuthority, type KeyPair } from "../support/certificates.ts";
import { batchOf, DeliveryBench, secret, targetSettings, until } from "../support/delivery.ts";
import { FakeInflux } from "../support/fake-influx.ts";

const never = new AbortController().signal;
const available = CertificateAuthority.available();
if (!available && process.env["CI"] === "true") throw new Error("openssl is missing: install it");
if (!available) console.error("SKIPPED: delivery over TLS, because openssl is missing");

suite("delivery over TLS", { skip: !available }, () => {
  let authority: CertificateAuthority;
  let forAddress: KeyPair;
  let forName: KeyPair;
  let client: KeyPair;

  before(() => {
    authority = new CertificateAuthority("test authority");
    forAddress = authority.issue("address", "IP:127.0.0.1");
    forName = authority.issue("name", "DNS:influx.example");
    client = authority.issue("client", "DNS:agent.example");
  });
  after(() => {
    authority[Symbol.dispose]();
  });

  /** Sends five lines. Returns undefined if they arrive, otherwise the failure that the sender reports. */
  async function deliver(server: FakeInflux, tls: EffectiveTarget["tls"]): Promise<string | undefined> {
    await using bench = new DeliveryBench();
    const credentials = { kind: "token", token: secret("a-token-for-tls") } as const;
    const sender = bench.start(targetSettings({ url: server.url, tls, credentials }));
    await bench.append(batchOf(5));
    await until("it is decided", () => sender.state.state !== "Idle");
    assert.equal(bench.everything().includes("a-token-for-tls"), false);
    assert.equal(bench.everything().includes("PRIVATE KEY"), false);
    assert.equal(server.stored.length, sender.state.state === "Failing" ? 0 : 5);
    return sender.state.detail;
  }

  test("Verify trusts the configured authority", async () => {
    await using influx = await FakeInflux.start({ version: "v2", tls: forAddress });
    assert.equal(await deliver(influx, { mode: "Verify", ca: authority.cert }), undefined);
  });

  test("Verify rejects an unknown authority with a remedy, before anything is sent", async () => {
    await using influx = await FakeInflux.start({ version: "v2", tls: forAddress });
    assert.match(
      (await deliver(influx, { mode: "Verify" })) ?? "",
      /certificate is not from a known authority: set tls\.caRef/,
    );
    assert.equal(influx.requests.length, 0);
    using stranger = new CertificateAuthority("stranger");
    const detail = (await deliver(influx, { mode: "Verify", ca: stranger.cert })) ?? "";
    assert.match(detail, /set tls\.caRef/);
    assert.doesNotMatch(detail, /use-system-ca/);
    assert.equal(influx.requests.length, 0);
  });

  test("Insecure accepts any certificate", async () => {
    await using influx = await FakeInflux.start({ version: "v2", tls: forName });
    assert.equal(await deliver(influx, { mode: "Insecure" }), undefined);
  });

  test("a certificate for another name needs serverName", async () => {
    await using influx = await FakeInflux.start({ version: "v2", tls: forName });
    assert.match((await deliver(influx, { mode: "Verify", ca: authority.cert })) ?? "", /set tls\.serverName/);
    const named = { mode: "Verify", ca: authority.cert, serverName: "influx.example" } as const;
    assert.equal(await deliver(influx, named), undefined);
  });

  test("a certificate with the name only as its common name is rejected with a remedy", async () => {
    await using influx = await FakeInflux.start({ version: "v2", tls: authority.issueCommonName("influx.example") });
    const named = { mode: "Verify", ca: authority.cert, serverName: "influx.example" } as const;
    assert.match((await deliver(influx, named)) ?? "", /has no subject alternative name \(renew it with the host/);
    assert.equal(influx.requests.length, 0);
  });

  test("a server that requires a client certificate accepts the configured one", async () => {
    const tls = { ...forAddress, ca: authority.cert, requestCert: true, rejectUnauthorized: true };
    await using influx = await FakeInflux.start({ version: "v2", tls });
    const anonymous = { mode: "Verify", ca: authority.cert } as const;
    // A server that ends TLS 1.3 may close the connection before its alert is read.
    assert.match((await deliver(influx, anonymous)) ?? "", /set tls\.clientCertSecretRef|ECONNRESET|EPIPE|hang up/);
    await using older = await FakeInflux.start({ version: "v2", tls: { ...tls, maxVersion: "TLSv1.2" } });
    assert.match(
      (await deliver(older, anonymous)) ?? "",
      /asks for a client certificate: set tls\.clientCertSecretRef\)$/,
    );
    assert.equal(await deliver(influx, { ...anonymous, cert: client.cert, key: secret(client.key) }), undefined);
  });

  test("an invalid certificate is reported as a wrong setting", async () => {
    await using influx = await FakeInflux.start({ version: "v2", tls: forAddress });
    assert.match((await deliver(influx, { mode: "Verify", cert: "none", key: secret("none") })) ?? "", /PEM/i);
  });

  test("an authority and a token can be replaced at run time without a lost line", async () => {
    const old = { version: "v2", tls: forAddress, authorization: "Token old-token" } as const;
    await using influx = await FakeInflux.start(old);
    await using bench = new DeliveryBench();
    const settings = targetSettings({
      url: influx.url,
      tls: { mode: "Verify", ca: authority.cert },
      credentials: { kind: "token", token: secret("old-token") },
    });
    const sender = bench.start(settings);
    await bench.append(batchOf(5));
    assert.equal(await sender.drain(never), true);

    using renewed = new CertificateAuthority("renewed authority");
    influx.certificate = renewed.issue("renewed", "IP:127.0.0.1");
    influx.options = { ...old, authorization: "Token new-token" };
    influx.closeConnections();
    await bench.append(batchOf(5, 5));
    await until("it failed", () => sender.state.state === "Failing");
    assert.match(sender.state.detail ?? "", /set tls\.caRef/);
    assert.equal(influx.requests.length, 1);

    const trusting = { ...settings, tls: { mode: "Verify", ca: renewed.cert } } as const;
    sender.update(trusting);
    await until("the old token is rejected", () => sender.state.reason === "TargetUnauthorized");
    sender.update({ ...trusting, credentials: { kind: "token", token: secret("new-token") } });
    assert.equal(await sender.drain(never), true);
    assert.equal(influx.stored.length, 10);
    assert.doesNotMatch(bench.everything(), /old-token|new-token/);
  });

  test("https to a server without TLS is reported", async () => {
    await using influx = await FakeInflux.start({ version: "v2" });
    await using bench = new DeliveryBench();
    const url = influx.url.replace("http:", "https:");
    const sender = bench.start(targetSettings({ url, tls: { mode: "Verify" } }));
    await bench.append(batchOf(1));
    await until("it failed", () => sender.state.state === "Failing");
    assert.match(
      sender.state.detail ?? "",
      /^TLS: wrong version number \(the server does not speak TLS: check the port.*Plaintext\)$/,
    );
  });
});
