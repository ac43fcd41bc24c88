import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { isGone, readBasicInfo, type BasicInfo } from "../../../../src/collection/libvirt/basic-info.ts";
import { LibvirtError } from "../../../../src/libvirt/errors.ts";
import { writeTypedParameters } from "../../../../src/libvirt/typed-parameters.ts";
import type { DomainRef, TypedValue } from "../../../../src/libvirt/types.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { openPeer, type Handlers, type PeerCall } from "../../../support/libvirt-peer.ts";

const DOMAINS: readonly DomainRef[] = [1, 2, 3].map((id) => ({
  name: `vm-${id}`,
  uuid: `00000000-0000-0000-0000-00000000000${id}`,
  id,
}));

function info(call: PeerCall, state = 1): void {
  call.reply((writer) => writer.uint(state).uhyper(2048n).uhyper(1024n).uint(2).uhyper(99n));
}

function cpuStats(call: PeerCall, params: Readonly<Record<string, TypedValue>>): void {
  call.reply((writer) => {
    writeTypedParameters(writer, new Map(Object.entries(params)));
    writer.int(3);
  });
}

const TIMES = { cpu_time: 30n, user_time: 20n, system_time: 10n };

function nameIn({ payload }: PeerCall): string {
  return payload.string(100);
}

/** Returns the basic information from a daemon with these answers, and the reported errors. */
async function basicInfo(t: TestContext, handlers: Handlers, { withCpu = true, deadlineMs = 10_000 } = {}) {
  const { client, peer } = await openPeer(t, {
    DOMAIN_GET_INFO: (call) => {
      info(call);
    },
    DOMAIN_GET_CPU_STATS: (call) => {
      cpuStats(call, TIMES);
    },
    ...handlers,
  });
  const reported: LibvirtError[] = [];
  const found = await readBasicInfo(client, DOMAINS, { withCpu, deadlineMs, clock: new FakeClock() }, (error) => {
    reported.push(error);
  });
  return { found, reported, peer };
}

function namesOf(found: readonly BasicInfo[]): string[] {
  return found.map(({ domain }) => domain.name);
}

test("every domain has state, memory, vCPUs and CPU times, in the order of the list", async (t) => {
  const { found, reported } = await basicInfo(t, {});
  assert.deepEqual(namesOf(found), ["vm-1", "vm-2", "vm-3"]);
  assert.deepEqual(found[0]?.info, { state: 1, maxMemoryKiB: 2048n, memoryKiB: 1024n, vcpus: 2, cpuTimeNs: 99n });
  const { time, user, system } = found[0].cpu ?? {};
  assert.deepEqual([time, user, system], [30n, 20n, 10n]);
  assert.deepEqual(reported, []);
});

for (const [what, code] of [
  ["does not exist any more", 42],
  ["does not run any more", 55],
] as const) {
  test(`a domain that ${what} is left out without an error`, async (t) => {
    const { found, reported } = await basicInfo(t, {
      DOMAIN_GET_INFO: (call) => {
        if (nameIn(call) === "vm-2") call.fail(code, "gone");
        else info(call);
      },
    });
    assert.deepEqual(namesOf(found), ["vm-1", "vm-3"]);
    assert.deepEqual(reported, []);
  });
}

test("a domain that was shut off after the list is left out, although libvirt still reports it", async (t) => {
  const { found } = await basicInfo(t, {
    DOMAIN_GET_INFO: (call) => {
      info(call, nameIn(call) === "vm-2" ? 5 : 3);
    },
  });
  assert.deepEqual(namesOf(found), ["vm-1", "vm-3"]);
});

test("a domain for which the daemon rejects the call is left out and reported; the others are read", async (t) => {
  const { found, reported } = await basicInfo(t, {
    DOMAIN_GET_INFO: (call) => {
      if (nameIn(call) === "vm-2") call.fail(38, "cannot read cputime for domain");
      else info(call);
    },
  });
  assert.deepEqual(namesOf(found), ["vm-1", "vm-3"]);
  assert.deepEqual(
    reported.map(({ libvirtCode }) => libvirtCode),
    [38],
  );
});

test("rejected CPU times are undefined and no error, because daemons without cgroups reject them", async (t) => {
  const { found, reported } = await basicInfo(t, {
    DOMAIN_GET_CPU_STATS: (call) => {
      call.fail(55, "cgroup CPUACCT controller is not mounted");
    },
  });
  assert.deepEqual(
    found.map(({ cpu }) => cpu),
    [undefined, undefined, undefined],
  );
  assert.deepEqual(reported, []);
});

test("CPU times that the daemon does not report are undefined", async (t) => {
  const { found } = await basicInfo(t, {
    DOMAIN_GET_CPU_STATS: (call) => {
      cpuStats(call, { cpu_time: 30n, user_time: "twenty" });
    },
  });
  const { time, user, system } = found[0]?.cpu ?? {};
  assert.deepEqual([time, user, system], [30n, undefined, undefined]);
});

test("CPU times are read only on request", async (t) => {
  const { peer } = await basicInfo(t, {}, { withCpu: false });
  assert.ok(!peer.received.includes("DOMAIN_GET_CPU_STATS"));
});

test("a failed connection fails the read for all domains", async (t) => {
  const broken = basicInfo(t, {
    DOMAIN_GET_INFO: (call) => {
      call.socket.destroy();
    },
  });
  await assert.rejects(broken, { code: "E_LIBVIRT_CLOSED" });
  // All calls on the connection fail with it.
  await assert.rejects(basicInfo(t, { DOMAIN_GET_INFO: () => undefined }, { deadlineMs: 30 }), {
    message: /libvirt did not answer DOMAIN_GET_INFO within 30 ms/,
  });
});

test("memory and CPU times each have the time of their own reply, however long other replies take", async (t) => {
  const clock = new FakeClock();
  const held: PeerCall[] = [];
  const { client } = await openPeer(t, {
    DOMAIN_GET_INFO: (call) => {
      info(call);
    },
    DOMAIN_GET_CPU_STATS: (call) => void held.push(call),
  });
  const [domain] = DOMAINS;
  const reading = readBasicInfo(
    client,
    domain === undefined ? [] : [domain],
    { withCpu: true, deadlineMs: 10_000, clock },
    () => {
      assert.fail("nothing is rejected");
    },
  );
  const before = clock.monotonic();
  await clock.advance(3_000);
  for (const call of held) cpuStats(call, TIMES);
  assert.deepEqual(
    (await reading).map(({ readMs, cpu }) => [readMs - before, (cpu?.readMs ?? 0) - before]),
    [[0, 3_000]],
  );
});

test("only two error codes of libvirt mean that a domain is gone", () => {
  const remote = (libvirtCode: number): LibvirtError => new LibvirtError("E_LIBVIRT_REMOTE", "no", { libvirtCode });
  assert.deepEqual(
    [remote(42), remote(55), remote(38), new LibvirtError("E_LIBVIRT_CLOSED", "no"), new Error("no")].map(isGone),
    [true, true, false, false, false],
  );
});
