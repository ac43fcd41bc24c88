import assert from "node:assert/strict";
import { mkdir, rename, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { inspect } from "node:util";
import { test } from "node:test";
import { secretsDirectory } from "../../../src/config/secrets-dir.ts";
import { TelemetryError } from "../../../src/errors.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

async function put(directory: string, name: string, key: string, text: string): Promise<void> {
  await mkdir(path.join(directory, name), { recursive: true });
  await writeFile(path.join(directory, name, key), text);
}

async function rejection(reading: Promise<string>): Promise<TelemetryError> {
  const error: unknown = await reading.then(
    (text) => assert.fail(`read ${text.length} characters`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof TelemetryError);
  assert.equal(error.code, "E_SECRET_NOT_FOUND");
  return error;
}

test("the key of a Secret or ConfigMap is a file in the directory of its name", async (t) => {
  const directory = await temporaryDirectory(t);
  await put(directory, "influx", "token", "abc");
  await put(directory, "ca.example.com", "ca.crt", "PEM");
  const source = secretsDirectory(directory);
  assert.equal(await source.read("Secret", "influx", "token"), "abc");
  assert.equal(await source.read("ConfigMap", "ca.example.com", "ca.crt"), "PEM");
});

test("without the directory, a key is a credential that systemd has copied from it", async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(path.join(directory, "secrets_influx_api_token"), "abc\n");
  const source = secretsDirectory(path.join(directory, "secrets"));
  assert.equal(await source.read("Secret", "influx", "api_token"), "abc");
  const { message } = await rejection(source.read("Secret", "influx", "token"));
  assert.match(message, /cannot be read from \S+secrets\/influx\/token \(ENOENT\)/);
});

const TEXTS: readonly (readonly [file: string, value: string])[] = [
  ["abc\n", "abc"],
  ["abc\r\n", "abc"],
  ["abc\n\n", "abc\n"],
  [" a\nb ", " a\nb "],
  ["\n", ""],
  ["ä😀", "ä😀"],
];

for (const [text, value] of TEXTS) {
  test(`only the last newline of a file with ${JSON.stringify(text)} is removed`, async (t) => {
    const directory = await temporaryDirectory(t);
    await put(directory, "influx", "token", text);
    assert.equal(await secretsDirectory(directory).read("Secret", "influx", "token"), value);
  });
}

test("each read returns the current file, also after the kubelet swaps its links", async (t) => {
  const directory = await temporaryDirectory(t);
  const mount = path.join(directory, "influx");
  await put(mount, "..1", "token", "old");
  await put(mount, "..2", "token", "new");
  await symlink("..1", path.join(mount, "..data"));
  await symlink("..data/token", path.join(mount, "token"));
  const source = secretsDirectory(directory);
  assert.equal(await source.read("Secret", "influx", "token"), "old");
  await symlink("..2", path.join(mount, "..next"));
  await rename(path.join(mount, "..next"), path.join(mount, "..data"));
  assert.equal(await source.read("Secret", "influx", "token"), "new");
});

test("without a directory the error names the option", async () => {
  const { message } = await rejection(secretsDirectory(undefined).read("Secret", "influx", "token"));
  assert.equal(
    message,
    "the key `token` of the Secret `influx` is needed: give the directory of the secrets with --secrets-dir",
  );
});

test("the error for a missing key names the file", async (t) => {
  const directory = await temporaryDirectory(t);
  await mkdir(path.join(directory, "influx", "folder"), { recursive: true });
  const source = secretsDirectory(directory);
  const missing = await rejection(source.read("ConfigMap", "influx", "token"));
  const file = path.join(directory, "influx", "token");
  assert.equal(missing.message, `the key \`token\` of the ConfigMap \`influx\` cannot be read from ${file} (ENOENT)`);
  assert.match((await rejection(source.read("Secret", "influx", "folder"))).message, /\(EISDIR\)$/);
});

test("the error for a credential of systemd that cannot be read names its file", async (t) => {
  const directory = path.join(await temporaryDirectory(t), "secrets");
  const file = `${directory}_influx_token`;
  await writeFile(file, Buffer.alloc(1024 * 1024 + 1));
  const { message } = await rejection(secretsDirectory(directory).read("Secret", "influx", "token"));
  assert.equal(message, `the key \`token\` of the Secret \`influx\` cannot be read from ${file} (too large)`);
});

test("no name and no key leaves the directory", async (t) => {
  const outer = await temporaryDirectory(t);
  await writeFile(path.join(outer, "token"), "abc");
  await put(outer, "inner", "key", "abc");
  const source = secretsDirectory(path.join(outer, "inner"));
  for (const [name, key] of [
    ["..", "token"],
    [".", "key"],
    ["", "key"],
    ["../inner", "key"],
    ["x", "../key"],
    ["x", ".."],
    ["x", ""],
  ] as const)
    assert.match(
      (await rejection(source.read("Secret", name, key))).message,
      /cannot be a file name$/,
      `${name} ${key}`,
    );
});

test("a file of 1 MiB is read, a larger one is rejected without showing it", async (t) => {
  const directory = await temporaryDirectory(t);
  const source = secretsDirectory(directory);
  await put(directory, "influx", "token", "s3cret".repeat(200_000).slice(0, 1024 * 1024));
  assert.equal((await source.read("Secret", "influx", "token")).length, 1024 * 1024);
  await put(directory, "influx", "token", "s3cret".repeat(200_000).slice(0, 1024 * 1024 + 1));
  const error = await rejection(source.read("Secret", "influx", "token"));
  assert.match(error.message, /\(too large\)$/);
  assert.equal(inspect(error, { depth: null }).includes("s3cret"), false);
});

test("an endless file is rejected", async (t) => {
  const directory = await temporaryDirectory(t);
  await mkdir(path.join(directory, "influx"));
  await symlink("/dev/zero", path.join(directory, "influx", "token"));
  assert.match((await rejection(secretsDirectory(directory).read("Secret", "influx", "token"))).message, /too large/);
});
