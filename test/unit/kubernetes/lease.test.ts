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
class Contest implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly objects = new FakeObjects();
  readonly candidates: Candidate[] = [];

  enter(name: string): Candidate {
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
      assert.ok(this.working.length <= 1, `${this.working.join(" and ")} lead at one moment`);
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
  readonly #contest: Contest;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(name: string, contest: Contest, index: number) {
    this.name = name;
    this.#contest = contest;
    const { clock } = contest;
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
    const answer = this.#contest.objects.answer({ method, path, query: {}, object, contentType: "application/json" });
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
  await using contest = new Contest();
  const one = contest.enter("one");
  await contest.pass(60);
  assert.deepEqual([one.working, one.events], [true, ["acquired"]]);
  const { holderIdentity, leaseDurationSeconds, leaseTransitions, renewTime } = contest.lease.spec;
  assert.deepEqual([holderIdentity, leaseDurationSeconds, leaseTransitions], ["one", 15, 0]);
  assert.match(String(renewTime), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  assert.ok(one.requests <= 32, `${one.requests} requests in a minute`);
  await one.stop();
  assert.equal(one.working, false);
  assert.equal(contest.lease.spec["holderIdentity"], "");
  assert.deepEqual(one.events, ["acquired"]);
});

test("a second candidate waits while the first renews, even if their clocks differ by days", async () => {
  await using contest = new Contest();
  contest.enter("one");
  await contest.pass(1);
  contest.enter("two");
  contest.enter("three");
  await contest.pass(600);
  assert.deepEqual(contest.working, ["one"]);
});

test("a released Lease is acquired within seconds", async () => {
  await using contest = new Contest();
  const one = contest.enter("one");
  await contest.pass(1);
  contest.enter("two");
  await contest.pass(5);
  await one.stop();
  await contest.pass(3);
  assert.deepEqual(contest.working, ["two"]);
  assert.equal(contest.lease.spec["leaseTransitions"], 1);
});

for (const link of ["lost", "hang", "answer lost", "denied"] as const) {
  test(`a leader with link ${link} ends its work before another starts, and waits afterwards`, async () => {
    await using contest = new Contest();
    const one = contest.enter("one");
    await contest.pass(1);
    const two = contest.enter("two");
    await contest.pass(5);
    one.link = link;
    await contest.pass(10.5);
    assert.deepEqual([one.working, one.events.at(-1)], [false, "lost"]);
    await contest.pass(20);
    assert.equal(two.working, true);
    one.link = "up";
    await contest.pass(60);
    assert.equal(contest.working.length, 1);
  });
}

test("the work ends when another process overwrites the Lease", async () => {
  await using contest = new Contest();
  const one = contest.enter("one");
  await contest.pass(5);
  contest.objects.put(LEASES, { ...contest.lease, spec: { holderIdentity: "usurper" } });
  await contest.pass(5);
  assert.deepEqual([one.working, one.events], [false, ["acquired", "lost"]]);
  await contest.pass(20);
  assert.equal(one.working, true);
});

test("another client's change or deletion of the Lease does not end the work", async () => {
  await using contest = new Contest();
  const one = contest.enter("one");
  await contest.pass(5);
  contest.objects.put(LEASES, { ...contest.lease, metadata: { ...contest.lease.metadata, labels: { a: "b" } } });
  await contest.pass(10);
  assert.deepEqual(contest.lease.metadata.labels, { a: "b" });
  contest.objects.delete(LEASES, "system/leader");
  await contest.pass(10);
  assert.deepEqual([one.working, one.events], [true, ["acquired"]]);
  assert.equal(contest.lease.spec["holderIdentity"], "one");
});

test("failing work releases the Lease and rejects", async () => {
  const contest = new Contest();
  const client: KubeClient = {
    request: ({ method = "GET", path, body }) =>
      Promise.resolve({
        headers: {},
        ...contest.objects.answer({ method, path, query: {}, object: body as FakeObject, contentType: "" }),
      }),
    watch: () => assert.fail(),
  };
  const observer = { acquired: () => undefined, lost: () => undefined, failed: () => undefined };
  const options = { namespace: "system", name: "leader", identity: "one", clock: contest.clock };
  const election = new LeaderElection({ client, observer, ...options });
  const work = (): Promise<void> => Promise.reject(new Error("broken"));
  await assert.rejects(election.run(work, new AbortController().signal), /broken/);
  assert.equal(contest.lease.spec["holderIdentity"], "");
});

test("at most one candidate works at any time, for any faults of the links, and finally one does", async () => {
  const links = fc.constantFrom<Link>("up", "lost", "answer lost", "hang", "denied");
  const step = fc.record({ candidate: fc.nat(2), link: links, seconds: fc.integer({ min: 1, max: 20 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      await using contest = new Contest();
      for (const name of ["one", "two", "three"]) contest.enter(name);
      for (const { candidate, link, seconds } of steps) {
        const chosen = contest.candidates[candidate];
        if (chosen !== undefined) chosen.link = link;
        await contest.pass(seconds);
      }
      for (const candidate of contest.candidates) candidate.link = "up";
      await contest.pass(40);
      assert.equal(contest.working.length, 1);
    }),
    { numRuns: 15 },
  );
});
