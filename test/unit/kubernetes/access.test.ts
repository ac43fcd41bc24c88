import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, suite, test } from "node:test";
import { inspect } from "node:util";
import type { Access } from "../../../src/kubernetes/access.ts";
import { findAccess } from "../../../src/kubernetes/find-access.ts";
import { KubeError } from "../../../src/kubernetes/kube-error.ts";

const SERVER = "https://api.example:6443";

void suite("access to an API server", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), "access-"));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  function write(name: string, content: string | object): string {
    const file = path.join(directory, name);
    writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
    return file;
  }

  function kubeconfig(user: object, cluster: object = {}): string {
    return write("config", {
      clusters: [{ name: "c", cluster: { server: SERVER, ...cluster } }],
      users: [{ name: "u", user }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u", namespace: "here" } }],
      "current-context": "x",
    });
  }

  const read = (file: string): Promise<Access> => findAccess({ env: { KUBECONFIG: file } })();

  async function rejectionOf(env: NodeJS.ProcessEnv): Promise<string> {
    const error: unknown = await (async () => findAccess({ env, serviceAccountDir: directory })())().catch(
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof KubeError, String(error));
    assert.equal(error.code, "E_KUBE_CONFIG");
    assert.equal(inspect(error).includes("s3cret"), false, inspect(error));
    return error.message;
  }

  test("in a pod is the service account's; a rotated token is read again", async () => {
    write("token", "first\n");
    write("ca.crt", "CA");
    write("namespace", "telemetry\n");
    const env = { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443", HOME: directory };
    const readAccess = findAccess({ env, serviceAccountDir: directory });
    const access = await readAccess();
    assert.deepEqual([access.server.href, access.namespace], ["https://10.0.0.1/", "telemetry"]);
    assert.deepEqual([String(access.tls.ca), access.tls.rejectUnauthorized], ["CA", true]);
    assert.deepEqual(await access.headers(), { authorization: "Bearer first" });
    write("token", "second");
    assert.deepEqual(await (await readAccess()).headers(), { authorization: "Bearer second" });
  });

  test("in a pod of an IPv6 cluster has an address in brackets", async () => {
    for (const file of ["token", "ca.crt"]) write(file, "x");
    const access = await findAccess({ env: { KUBERNETES_SERVICE_HOST: "fd00::1" }, serviceAccountDir: directory })();
    assert.equal(access.server.href, "https://[fd00::1]/");
  });

  test("by a kubeconfig uses its certificates, in files or inline, and its server name", async () => {
    write("client.crt", "CERT");
    const data = { "client-key-data": Buffer.from("KEY").toString("base64"), as: "another", token: "t" };
    const cluster = { "certificate-authority-data": Buffer.from("CA").toString("base64"), "tls-server-name": "kube" };
    const access = await read(kubeconfig({ "client-certificate": "client.crt", ...data }, cluster));
    const { ca, cert, key, servername, rejectUnauthorized } = access.tls;
    assert.deepEqual([ca, cert, key].map(String), ["CA", "CERT", "KEY"]);
    assert.deepEqual([servername, rejectUnauthorized, access.namespace], ["kube", true, "here"]);
    assert.deepEqual(await access.headers(), { authorization: "Bearer t", "impersonate-user": "another" });
  });

  test("by a kubeconfig can have a user name and a password, or no credentials", async () => {
    const basic = await read(kubeconfig({ username: "me", password: "pass" }, { "insecure-skip-tls-verify": true }));
    assert.deepEqual(await basic.headers(), { authorization: `Basic ${Buffer.from("me:pass").toString("base64")}` });
    assert.equal(basic.tls.rejectUnauthorized, false);
    assert.deepEqual(await (await read(kubeconfig({}))).headers(), {});
  });

  test("by an exec plugin runs it once, and again when the access is read again", async () => {
    const credential = { status: { token: "from-plugin", clientCertificateData: "CERT", clientKeyData: "KEY" } };
    const answer = write("answer", credential);
    const log = path.join(directory, "log");
    const exec = { command: "sh", args: ["-c", `echo run >> ${log}; cat ${answer}`] };
    const file = kubeconfig({ exec });
    const access = await read(file);
    assert.deepEqual([access.tls.cert, access.tls.key], ["CERT", "KEY"]);
    for (let time = 0; time < 3; time++)
      assert.deepEqual(await access.headers(), { authorization: "Bearer from-plugin" });
    await read(file);
    assert.equal(readFileSync(log, "utf8"), "run\nrun\n");
  });

  test("by a kubeconfig prefers a token file to a token", async () => {
    write("my-token", "of the file\n");
    const access = await read(kubeconfig({ tokenFile: "my-token", token: "older" }));
    assert.deepEqual(await access.headers(), { authorization: "Bearer of the file" });
  });

  test("by several kubeconfigs uses the first entry of each name", async () => {
    const first = write("first", { users: [{ name: "u", user: { token: "mine" } }], "current-context": "x" });
    const both = [first, kubeconfig({ token: "other" })].join(path.delimiter);
    assert.deepEqual(await (await read(both)).headers(), { authorization: "Bearer mine" });
  });

  const BAD: readonly (readonly [string, () => object, RegExp])[] = [
    ["an empty environment", () => ({}), /KUBECONFIG is not set/],
    ["a missing kubeconfig", () => ({ KUBECONFIG: "/nowhere/config" }), /ENOENT.*\/nowhere\/config/],
    ["a home without a kubeconfig", () => ({ HOME: directory }), /ENOENT/],
    ["a pod without a token", () => ({ KUBERNETES_SERVICE_HOST: "10.0.0.1" }), /ENOENT/],
    [
      "invalid YAML",
      () => ({ KUBECONFIG: write("config", "a: b\ntoken: {s3cret\n  - x: [") }),
      /config:\d+ is not a kubeconfig$/,
    ],
    ["a text", () => ({ KUBECONFIG: write("config", "s3cret") }), /config is not a kubeconfig$/],
    ["no context", () => ({ KUBECONFIG: write("config", { users: [] }) }), /its current context is missing/],
    ["a cluster without a server", () => ({ KUBECONFIG: kubeconfig({}, { server: "" }) }), /server is missing/],
    ["plain http", () => ({ KUBECONFIG: kubeconfig({}, { server: "http://x" }) }), /must be https/],
    ["an invalid address", () => ({ KUBECONFIG: kubeconfig({}, { server: "over there" }) }), /not the address/],
    [
      "a proxy",
      () => ({ KUBECONFIG: kubeconfig({}, { "proxy-url": "http://proxy" }) }),
      /proxy-url, which is not supported/,
    ],
    [
      "an old auth-provider",
      () => ({ KUBECONFIG: kubeconfig({ "auth-provider": { name: "gcp" } }) }),
      /use an exec plugin/,
    ],
    ["a missing plugin", () => ({ KUBECONFIG: kubeconfig({ exec: { command: "/nowhere" } }) }), /user `u`.*ENOENT/],
    [
      "a failing plugin",
      () => ({ KUBECONFIG: kubeconfig({ exec: { command: "sh", args: ["-c", "echo no >&2; exit 1"] } }) }),
      /user `u`.*: no$/,
    ],
    [
      "a plugin that prints text",
      () => ({ KUBECONFIG: kubeconfig({ exec: { command: "echo", args: ["s3cret"] } }) }),
      /the plugin did not print JSON$/,
    ],
  ];
  for (const [what, env, message] of BAD) {
    test(`is rejected for ${what}, without quoting a secret`, async () => {
      assert.match(await rejectionOf(env() as NodeJS.ProcessEnv), message);
    });
  }
});
