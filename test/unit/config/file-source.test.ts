import assert from "node:assert/strict";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import { inspect } from "node:util";
import { test, type TestContext } from "node:test";
import { ConfigLoop } from "../../../src/config/config-loop.ts";
import { FileConfigSource, formatFault } from "../../../src/config/file-source.ts";
import type { EffectiveConfig } from "../../../src/config/resolve.ts";
import { secretsDirectory, type SecretSource } from "../../../src/config/secrets-dir.ts";
import type { TelemetryError } from "../../../src/errors.ts";
import { LEAST_SPEC, changed, configText, tokenOf } from "../../support/config.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { atEnd } from "../../support/at-end.ts";

const POLL_MS = 5_000;

function every(interval: string): string {
  return configText({ ...LEAST_SPEC, collection: { interval } });
}

const WITH_TOKEN = configText(changed(LEAST_SPEC, ["targets", 0, "v2", "tokenSecretRef"], { name: "influx" }));

/** A polled file, and the calls of its listener. */
class Followed {
  readonly clock: FakeClock;
  /** `5000` for a changed configuration with that interval; the code of an error. */
  readonly reported: (number | string)[] = [];
  readonly errors: TelemetryError[] = [];
  readonly configs: EffectiveConfig[] = [];
  readonly loop: ConfigLoop;
  readonly #dir: string;
  readonly #ending = new AbortController();
  readonly #following: Promise<void>;

  private constructor(dir: string, loop: ConfigLoop, clock: FakeClock) {
    this.#dir = dir;
    this.clock = clock;
    this.loop = loop;
    this.#following = loop.run(
      {
        changed: (config) => {
          if (config === undefined) return;
          this.reported.push(config.intervalMs);
          this.configs.push(config);
        },
        rejected: ({ error }) => {
          this.reported.push(error.code);
          this.errors.push(error);
        },
        incomplete: ({ error }) => {
          this.reported.push(error.code);
          this.errors.push(error);
        },
        unavailable: () => {
          assert.fail("a file is not unavailable");
        },
      },
      this.#ending.signal,
    );
    // Removes the loaded configuration, which is reported at once.
    this.reported.length = 0;
    this.configs.length = 0;
  }

  static async start(
    t: TestContext,
    text: string,
    secretsOf: (directory: SecretSource) => SecretSource = (directory) => directory,
  ): Promise<Followed> {
    const dir = await temporaryDirectory(t);
    const secrets = secretsOf(secretsDirectory(path.join(dir, "secrets")));
    await mkdir(path.join(dir, "secrets", "influx"), { recursive: true });
    await writeFile(path.join(dir, "secrets", "influx", "token"), "first");
    await writeFile(path.join(dir, "config.yaml"), text);
    const clock = new FakeClock();
    const loop = new ConfigLoop(new FileConfigSource(path.join(dir, "config.yaml"), secrets), clock);
    await loop.load();
    const followed = new Followed(dir, loop, clock);
    atEnd(t, () => followed.end());
    return followed;
  }

  write(text: string): Promise<void> {
    return writeFile(path.join(this.#dir, "config.yaml"), text);
  }

  remove(): Promise<void> {
    return rm(path.join(this.#dir, "config.yaml"));
  }

  rotate(token: string): Promise<void> {
    return writeFile(path.join(this.#dir, "secrets", "influx", "token"), token);
  }

  /** Advances the clock to the next poll, and waits for its end. */
  async poll(): Promise<void> {
    await this.clock.advance(POLL_MS);
    await this.rest();
  }

  /** Resolves when only sleeps are pending. */
  async rest(): Promise<void> {
    while (this.clock.sleeping === 0) await setImmediate();
  }

  async end(): Promise<void> {
    this.#ending.abort();
    await this.#following;
  }
}

test("a fault is printed as file:line: path: message, without a path for the whole file", () => {
  assert.equal(formatFault("a.yaml", { line: 3, path: "spec.x", message: "is bad" }), "a.yaml:3: spec.x: is bad");
  assert.equal(formatFault("a.yaml", { line: 1, path: "", message: "is empty" }), "a.yaml:1: is empty");
});

test("a file is loaded with its secrets", async (t) => {
  const dir = await temporaryDirectory(t);
  await writeFile(path.join(dir, "config.yaml"), WITH_TOKEN);
  await mkdir(path.join(dir, "influx"));
  await writeFile(path.join(dir, "influx", "token"), "abc\n");
  const reading = await new FileConfigSource(path.join(dir, "config.yaml"), secretsDirectory(dir)).read();
  assert.equal(reading.kind === "config" && tokenOf(reading.config), "abc");
});

test("a missing file and an invalid file are different errors, a missing secret is the fault of its target", async (t) => {
  const dir = await temporaryDirectory(t);
  const file = path.join(dir, "config.yaml");
  const load = (): Promise<unknown> =>
    new ConfigLoop(new FileConfigSource(file, secretsDirectory(dir)), new FakeClock()).load();
  await assert.rejects(load(), { code: "E_CONFIG_UNREADABLE", message: /^\/.*config\.yaml cannot be read: ENOENT/ });
  await writeFile(file, configText({ ...LEAST_SPEC, priority: 1001, state: "Paused" }));
  await assert.rejects(load(), {
    code: "E_CONFIG_INVALID",
    message: `the configuration is invalid
${file}:12: spec.priority: must be -1000 to 1000, is 1001
${file}:13: spec.state: must be \`Active\` or \`Suspended\``,
  });
  await writeFile(file, WITH_TOKEN);
  const reading = await new FileConfigSource(file, secretsDirectory(dir)).read();
  assert.equal(reading.kind === "config" && reading.fault?.reason, "E_SECRET_NOT_FOUND");
});

test("a changed file is reported once, and an unchanged one is not reported", async (t) => {
  const followed = await Followed.start(t, every("5s"));
  await followed.poll();
  assert.deepEqual(followed.reported, []);
  await followed.write(every("7s"));
  await followed.poll();
  await followed.poll();
  assert.deepEqual(followed.reported, [7_000]);
});

test("a change of formatting is not a change of configuration", async (t) => {
  const followed = await Followed.start(t, every("5s"));
  await followed.write(`# a comment\n${every("5000ms")}`);
  await followed.poll();
  assert.deepEqual(followed.reported, []);
});

test("the file is polled every five seconds", async (t) => {
  const followed = await Followed.start(t, every("5s"));
  await followed.write(every("7s"));
  await followed.clock.advance(POLL_MS - 1);
  assert.deepEqual(followed.reported, []);
  await followed.clock.advance(1);
  await followed.rest();
  assert.deepEqual(followed.reported, [7_000]);
});

test("an invalid file is reported once, and each new fault again", async (t) => {
  const followed = await Followed.start(t, every("5s"));
  await followed.write(every("0s"));
  await followed.poll();
  await followed.poll();
  assert.deepEqual(followed.reported, ["E_CONFIG_INVALID"]);
  assert.match(
    followed.errors[0]?.message ?? "",
    /config\.yaml:\d+: spec\.collection\.interval: must be from 1s to 1h/,
  );
  await followed.write(every("999ms"));
  await followed.poll();
  assert.equal(followed.reported.length, 1, "it is the same fault");
  await followed.write("[");
  await followed.poll();
  await followed.remove();
  await followed.poll();
  await followed.poll();
  assert.deepEqual(followed.reported, ["E_CONFIG_INVALID", "E_CONFIG_INVALID", "E_CONFIG_UNREADABLE"]);
});

test("after an invalid file the old configuration is not a change", async (t) => {
  const followed = await Followed.start(t, every("5s"));
  await followed.write("");
  await followed.poll();
  await followed.write(every("5s"));
  await followed.poll();
  assert.deepEqual(followed.reported, ["E_CONFIG_INVALID"]);
  await followed.write("");
  await followed.poll();
  await followed.write(every("7s"));
  await followed.poll();
  assert.deepEqual(followed.reported, ["E_CONFIG_INVALID", "E_CONFIG_INVALID", 7_000]);
});

test("a rotated secret is a change, and so is a missing one", async (t) => {
  const followed = await Followed.start(t, WITH_TOKEN);
  await followed.poll();
  assert.deepEqual(followed.reported, []);
  await followed.rotate("second");
  await followed.poll();
  assert.deepEqual(followed.reported, [5_000]);
  assert.equal(tokenOf(followed.configs[0]), "second");
  await followed.rotate("first");
  await followed.poll();
  assert.deepEqual(followed.reported, [5_000, 5_000]);
  await followed.write(WITH_TOKEN.replace("name: influx", "name: unknown"));
  await followed.poll();
  await followed.poll();
  assert.deepEqual(followed.reported, [5_000, 5_000, 5_000, "E_SECRET_NOT_FOUND"]);
  assert.equal(inspect(followed.errors, { depth: null, showHidden: true }).includes("second"), false);
});

test("a secret that is rotated while the file is invalid or missing is used", async (t) => {
  const followed = await Followed.start(t, WITH_TOKEN);
  await followed.write("spec: [");
  await followed.rotate("second");
  await followed.poll();
  assert.equal(tokenOf(followed.configs.at(-1)), "second");
  await followed.remove();
  await followed.rotate("third");
  await followed.poll();
  assert.equal(tokenOf(followed.configs.at(-1)), "third");
  assert.deepEqual(followed.reported, [5_000, "E_CONFIG_INVALID", 5_000, "E_CONFIG_UNREADABLE"]);
});

test("reload polls at once, and reports a known fault again", async (t) => {
  const followed = await Followed.start(t, every("5s"));
  const reload = async (): Promise<void> => {
    followed.loop.reload();
    // The sleep ends, the poll begins.
    await setImmediate();
    await followed.rest();
  };
  await followed.write(every("7s"));
  await reload();
  assert.deepEqual(followed.reported, [7_000]);
  await followed.write("");
  await followed.poll();
  await reload();
  await reload();
  assert.deepEqual(followed.reported, [7_000, "E_CONFIG_INVALID", "E_CONFIG_INVALID", "E_CONFIG_INVALID"]);
});

test("a reload during a poll causes another poll", async (t) => {
  const held = Promise.withResolvers<undefined>();
  const polling = Promise.withResolvers<undefined>();
  let reads = 0;
  const followed = await Followed.start(t, WITH_TOKEN, (directory) => ({
    async read(kind, name, key) {
      const text = await directory.read(kind, name, key);
      if (++reads === 2) {
        polling.resolve(undefined);
        await held.promise;
      }
      return text;
    },
  }));
  await followed.clock.advance(POLL_MS);
  await polling.promise;
  await followed.rotate("second");
  followed.loop.reload();
  held.resolve(undefined);
  await followed.rest();
  assert.deepEqual([reads, followed.reported], [3, [5_000]]);
});

test("the loop ends at once when the signal aborts, also during a sleep", async (t) => {
  const followed = await Followed.start(t, every("5s"));
  await followed.end();
  assert.equal(followed.clock.sleeping, 0);
  await followed.write(every("7s"));
  await followed.clock.advance(10 * POLL_MS);
  assert.deepEqual(followed.reported, []);
});

test("a fault is kept while it lasts, and cleared when the old file comes back", async (t) => {
  const followed = await Followed.start(t, every("5s"));
  const fault = (): string | undefined => followed.loop.fault?.error.code;
  assert.equal(fault(), undefined);
  await followed.write("no configuration");
  await followed.poll();
  assert.equal(fault(), "E_CONFIG_INVALID");
  await followed.write(every("5s"));
  await followed.poll();
  assert.equal(fault(), undefined);
  assert.deepEqual(followed.reported, ["E_CONFIG_INVALID"]);
});
