import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { KubeAnswer } from "../../../src/kubernetes/answer.ts";
import type { KubeClient, KubeRequest } from "../../../src/kubernetes/api.ts";
import { KubeError } from "../../../src/kubernetes/kube-error.ts";
import { LeaderElection } from "../../../src/kubernetes/lease.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { failure, FakeObjects, type FakeObject } from "../../support/fake-objects.ts";

const LEASES = "/apis/coordination.k8s.io/v1/namespaces/system/leases";

type Link = "up" | "lost" | "answer lost" | "hang" | "denied";

/** Candidates for one Lease. Each has its own link to the API server and its own wrong wall clock. */
class LeaseBench implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly objects = new FakeObjects();
  readonly candidates: Candidate[] = [];

  addCandidate(name: string): Candidate {
    const candidate = new Candidate(name, this, this.candidates.length);
    this.candidates.push(candidate);
    return candidate;
  }

  get lease(): FakeObject & { readonly spec: Readonly<Record<string, unknown>> } {
    const lease = this.objects.get(LEASES, "system/leader");
    assert.ok(lease);
    return lease as FakeObject & { readonly spec: Readonly<Record<string, unknown>> };
  }

  get working(): readonly string[] {
    return this.candidates.filter(({ working }) => working).map(({ name }) => name);
  }

  async pass(seconds: number): Promise<void> {
    for (let half = 0; half < seconds * 2; half++) {
      await this.clock.advance(500);
      assert.ok(this.working.length <= 1, `${this.working.join(" and ")} lead at the same time`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const candidate of this.candidates) {
      candidate.link = "up";
      await candidate.stop();
    }
  }
}

class Candidate implements KubeClient {
  readonly name: string;
  readonly events: string[] = [];
  link: Link = "up";
  working = false;
  requests = 0;
  readonly #bench: LeaseBench;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(name: string, bench: LeaseBench, index: number) {
    this.name = name;
    this.#bench = bench;
    const { clock } = bench;
    const election = new LeaderElection({
      client: this,
      namespace: "system",
      name: "leader",
      identity: name,
      observer: {
        acquired: () => this.events.push("acquired"),
        lost: () => this.events.push("lost"),
        failed: ({ code }) => this.events.push(`failed ${code}`),
      },
      clock: {
        now: () => clock.now() + (index - 1) * 86_400_000,
        monotonic: () => clock.monotonic(),
        sleep: (ms, signal) => clock.sleep(ms, signal),
      },
      random: () => (index % 10) / 10,
    });
    this.#running = election.run((signal) => this.#work(signal), this.#stop.signal);
  }

  async request(request: KubeRequest): Promise<KubeAnswer> {
    this.requests++;
    const { method = "GET", path, body, signal } = request;
    if (this.link === "hang") {
      await new Promise<void>((resolve) =>
        signal?.addEventListener("abort", () => {
          resolve();
        }),
      );
    }
    if (this.link === "lost" || this.link === "hang") throw new KubeError("E_KUBE_UNREACHABLE", "no server");
    if (this.link === "denied") return { headers: {}, ...failure(403, "no") };
    const object = structuredClone(body) as FakeObject | undefined;
    const answer = this.#bench.objects.answer({ method, path, query: {}, object, contentType: "application/json" });
    if (this.link === "answer lost") throw new KubeError("E_KUBE_CLOSED", "the answer broke off");
    return { headers: {}, ...answer };
  }

  watch(): never {
    throw new Error("nothing to watch");
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #work(signal: AbortSignal): Promise<void> {
    this.working = true;
    await new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => {
        resolve();
      });
    });
    this.working = false;
  }
}

test("a free Lease is acquired, renewed, and released at the end", async () => {
  await using bench = new LeaseBench();
  const one = bench.addCandidate("one");
  await bench.pass(60);
  assert.deepEqual([one.working, one.events], [true, ["acquired"]]);
  const { holderIdentity, leaseDurationSeconds, leaseTransitions, renewTime } = bench.lease.spec;
  assert.deepEqual([holderIdentity, leaseDurationSeconds, leaseTransitions], ["one", 15, 0]);
  assert.match(String(renewTime), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  assert.ok(one.requests <= 32, `${one.requests} requests in a minute`);
  await one.stop();
  assert.equal(one.working, false);
  assert.equal(bench.lease.spec["holderIdentity"], "");
  assert.deepEqual(one.events, ["acquired"]);
});

test("a second candidate waits while the first renews, even if their clocks differ by days", async () => {
  await using bench = new LeaseBench();
  bench.addCandidate("one");
  await bench.pass(1);
  bench.addCandidate("two");
  bench.addCandidate("three");
  await bench.pass(600);
  assert.deepEqual(bench.working, ["one"]);
});

test("a released Lease is acquired within seconds", async () => {
  await using bench = new LeaseBench();
  const one = bench.addCandidate("one");
  await bench.pass(1);
  bench.addCandidate("two");
  await bench.pass(5);
  await one.stop();
  await bench.pass(3);
  assert.deepEqual(bench.working, ["two"]);
  assert.equal(bench.lease.spec["leaseTransitions"], 1);
});

for (const link of ["lost", "hang", "answer lost", "denied"] as const) {
  test(`a leader with link ${link} ends its work before another starts, and waits afterwards`, async () => {
    await using bench = new LeaseBench();
    const one = bench.addCandidate("one");
    await bench.pass(1);
    const two = bench.addCandidate("two");
    await bench.pass(5);
    one.link = link;
    await bench.pass(10.5);
    assert.deepEqual([one.working, one.events.at(-1)], [false, "lost"]);
    await bench.pass(20);
    assert.equal(two.working, true);
    one.link = "up";
    await bench.pass(60);
    assert.equal(bench.working.length, 1);
  });
}

test("the work ends when another process overwrites the Lease", async () => {
  await using bench = new LeaseBench();
  const one = bench.addCandidate("one");
  await bench.pass(5);
  bench.objects.put(LEASES, { ...bench.lease, spec: { holderIdentity: "usurper" } });
  await bench.pass(5);
  assert.deepEqual([one.working, one.events], [false, ["acquired", "lost"]]);
  await bench.pass(20);
  assert.equal(one.working, true);
});

test("another client's change or deletion of the Lease does not end the work", async () => {
  await using bench = new LeaseBench();
  const one = bench.addCandidate("one");
  await bench.pass(5);
  bench.objects.put(LEASES, { ...bench.lease, metadata: { ...bench.lease.metadata, labels: { a: "b" } } });
  await bench.pass(10);
  assert.deepEqual(bench.lease.metadata.labels, { a: "b" });
  bench.objects.delete(LEASES, "system/leader");
  await bench.pass(10);
  assert.deepEqual([one.working, one.events], [true, ["acquired"]]);
  assert.equal(bench.lease.spec["holderIdentity"], "one");
});

test("failing work releases the Lease and rejects", async () => {
  const bench = new LeaseBench();
  const client: KubeClient = {
    request: ({ method = "GET", path, body }) =>
      Promise.resolve({
        headers: {},
        ...bench.objects.answer({ method, path, query: {}, object: body as FakeObject, contentType: "" }),
      }),
    watch: () => assert.fail(),
  };
  const observer = { acquired: () => undefined, lost: () => undefined, failed: () => undefined };
  const options = { namespace: "system", name: "leader", identity: "one", clock: bench.clock };
  const election = new LeaderElection({ client, observer, ...options });
  const work = (): Promise<void> => Promise.reject(new Error("broken"));
  await assert.rejects(election.run(work, new AbortController().signal), /broken/);
  assert.equal(bench.lease.spec["holderIdentity"], "");
});

test("at most one candidate works at any time, for any faults of the links, and finally one does", async () => {
  const links = fc.constantFrom<Link>("up", "lost", "answer lost", "hang", "denied");
  const step = fc.record({ candidate: fc.nat(2), link: links, seconds: fc.integer({ min: 1, max: 20 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      await using bench = new LeaseBench();
      for (const name of ["one", "two", "three"]) bench.addCandidate(name);
      for (const { candidate, link, seconds } of steps) {
        const chosen = bench.candidates[candidate];
        if (chosen !== undefined) chosen.link = link;
        await bench.pass(seconds);
      }
      for (const candidate of bench.candidates) candidate.link = "up";
      await bench.pass(40);
      assert.equal(bench.working.length, 1);
    }),
    { numRuns: 15 },
  );
});
