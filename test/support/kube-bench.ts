import assert from "node:assert/strict";
import { inspect } from "node:util";
import { createAccess, type Access, type ReadAccess } from "../../src/kubernetes/access.ts";
import type { KubeAnswer } from "../../src/kubernetes/answer.ts";
import { KubeApi, type WatchStream } from "../../src/kubernetes/api.ts";
import { KubeError } from "../../src/kubernetes/kube-error.ts";
import { Reflector, type ReflectorOptions } from "../../src/kubernetes/reflector.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { CertificateAuthority } from "./certificates.ts";
import { FakeApiserver } from "./fake-apiserver.ts";
import { FakeClock } from "./fake-clock.ts";

export const THINGS = "/apis/example.org/v1/things";

/** The fields that these tests keep of an object. */
export interface Thing {
  readonly name: string;
  readonly value: unknown;
}

interface BenchOptions {
  readonly readAccess?: ReadAccess;
  readonly random?: () => number;
}

/** A fake API server, its client over real TLS and HTTP/2, and a fake clock. */
export class KubeBench implements AsyncDisposable {
  readonly clock = new FakeClock();
  /** All calls of the observers, each as a text. */
  readonly events: string[] = [];
  /** The most bytes of a list that a reflector held at one time. */
  peakBytes = 0;
  readonly server: FakeApiserver;
  readonly api: KubeApi;
  readonly #authority: CertificateAuthority;
  readonly #random: () => number;
  readonly #reflectors: AsyncDisposable[] = [];

  private constructor(authority: CertificateAuthority, server: FakeApiserver, options: BenchOptions) {
    this.#authority = authority;
    this.server = server;
    this.#random = options.random ?? (() => 0.5);
    this.api = new KubeApi({
      readAccess: options.readAccess ?? (() => this.access("a-token")),
      clock: this.clock,
      random: this.#random,
      userAgent: "bench",
      observer: {
        connected: () => this.events.push("connected"),
        disconnected: ({ code, message }) => this.events.push(`disconnected ${code} ${message}`),
      },
    });
  }

  static async start(options: BenchOptions = {}): Promise<KubeBench> {
    const authority = new CertificateAuthority("kubernetes");
    return new KubeBench(authority, await FakeApiserver.start(authority.issue("apiserver", "IP:127.0.0.1")), options);
  }

  /** Resolves to the access to the server with a token. */
  access(token: string, url = this.server.url): Promise<Access> {
    const caData = Buffer.from(this.#authority.cert).toString("base64");
    return createAccess({
      cluster: { name: "fake", server: url, caData, skipTLSVerify: false },
      user: { name: "agent", token },
      namespace: undefined,
    });
  }

  /** Starts a reflector of the objects that keeps `spec.value`. */
  reflect(change: Partial<ReflectorOptions<Thing>> = {}): Reflector<Thing> {
    const reflector = new Reflector<Thing>({
      client: this.api,
      path: THINGS,
      freshness: "any",
      project: thingOf,
      clock: this.clock,
      random: this.#random,
      observer: {
        listed: ({ objects, missed, tooLarge, peakBytes }) => {
          this.events.push(`listed ${objects}, missed ${missed}${tooLarge > 0 ? `, too large ${tooLarge}` : ""}`);
          this.peakBytes = Math.max(this.peakBytes, peakBytes);
        },
        denied: ({ message }) => this.events.push(`denied ${message}`),
        interrupted: ({ code, message }) => this.events.push(`interrupted ${code} ${message}`),
        resumed: () => this.events.push("resumed"),
        faulted: (error) => this.events.push(`faulted ${String(error)}`),
      },
      ...change,
    });
    this.#reflectors.push(reflector);
    reflector.start();
    return reflector;
  }

  /** Lists the objects. Advances the client's clock until the answer arrives. */
  async ask(): Promise<KubeAnswer> {
    let answer: KubeAnswer | undefined;
    let failure: unknown;
    void this.api.request({ path: THINGS }).then(
      (got) => (answer = got),
      (error: unknown) => (failure = error),
    );
    await this.passUntil("a request is answered", () => answer !== undefined || failure !== undefined);
    if (answer === undefined) throw failure;
    return answer;
  }

  async openWatch(lifetimeMs = 600_000): Promise<WatchStream> {
    const query = { watch: true, resourceVersion: this.server.objects.version };
    const watch = await this.api.watch({ path: THINGS, query, lifetimeMs });
    assert.ok("lines" in watch);
    return watch;
  }

  put(name: string, value: unknown = name, labels: Readonly<Record<string, string>> = {}): void {
    this.server.objects.put(THINGS, { metadata: { name, namespace: "default", labels }, spec: { value } });
  }

  delete(name: string): void {
    this.server.objects.delete(THINGS, `default/${name}`);
  }

  /** Events of one kind, such as `disconnected`. */
  of(kind: string): readonly string[] {
    return this.events.filter((event) => event.split(" ")[0] === kind);
  }

  /** Waits in real time until the condition holds. The client's clock does not move. */
  async until(what: string, holds: () => boolean): Promise<void> {
    const giveUpAt = performance.now() + 60_000;
    while (!holds()) {
      if (performance.now() > giveUpAt) throw new Error(`gave up waiting until ${what}; ${this.events.join("; ")}`);
      await systemClock.sleep(2);
    }
  }

  /** Advances the client's clock in steps of a quarter second until the condition holds. Returns the time passed. */
  async passUntil(what: string, holds: () => boolean): Promise<number> {
    const begun = this.clock.monotonic();
    const giveUpAt = performance.now() + 60_000;
    while (!holds()) {
      if (performance.now() > giveUpAt)
        throw new Error(`gave up passing time until ${what}; ${this.events.join("; ")}`);
      await this.clock.advance(250);
      await systemClock.sleep(2);
    }
    return this.clock.monotonic() - begun;
  }

  /** Everything that could reveal a secret: events, and the output of `inspect`. */
  everything(): string {
    return [...this.events, inspect([this.api, this.#reflectors], { depth: 12, showHidden: true })].join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#reflectors.map((reflector) => reflector[Symbol.asyncDispose]()));
    await this.api[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    this.#authority[Symbol.dispose]();
  }
}

/** Reads a watch to its end or error. */
export async function drain({ lines }: WatchStream): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

/** Returns a matcher for assert.rejects. */
export function failsWith(code: string, message = /./) {
  return (error: unknown): true => {
    assert.ok(error instanceof KubeError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}

function thingOf(object: unknown): Thing | undefined {
  const { metadata, spec } = object as { metadata: { name: string }; spec?: { value: unknown } };
  return spec === undefined ? undefined : { name: metadata.name, value: spec.value };
}
