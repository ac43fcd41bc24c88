import assert from "node:assert/strict";
import { test } from "node:test";
import { REMOTE_ERROR } from "../../../../src/libvirt/protocol.ts";
import type { TypedValue } from "../../../../src/libvirt/types.ts";
import { ErrorReply } from "../../../../src/simulator/procedures.ts";
import { SimulatedEndpoint } from "../../../support/simulated-endpoint.ts";

test("without cgroups, CPU times come from QEMU's process, and cgroups are tried once per connection", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t);
  const times: unknown[] = [];
  const cycle = async (): Promise<[number, boolean]> => {
    let inBulk = false;
    endpoint.host.adjustStats = (_name, params) => {
      inBulk ||= params.has("cpu.time");
    };
    const { cpu } = await endpoint.sample();
    times.push(cpu.time, cpu.user, cpu.system);
    return [endpoint.newCalls("DOMAIN_GET_CPU_STATS"), inBulk];
  };
  endpoint.host.cgroups = false;
  assert.deepEqual(await cycle(), [4, true], "one call to try; the first cycle has the times already");
  assert.deepEqual(await cycle(), [0, true]);
  endpoint.host.cgroups = true;
  assert.deepEqual(await cycle(), [0, true]);
  await endpoint.stopDaemon();
  await endpoint.startDaemon();
  assert.deepEqual(await cycle(), [4, false]);
  assert.deepEqual(await cycle(), [3, false]);
  assert.ok(times.every((time) => typeof time === "bigint" && time > 0n));
});

for (const [what, cpuStats] of [
  ["rejects", rejectCpuStats],
  ["reports in part", () => new Map<string, TypedValue>([["cpu_time", 1_000n]])],
] as const) {
  test(`CPU times that libvirt ${what} for one domain come from the bulk statistics, never as a zero`, async (t) => {
    const endpoint = await SimulatedEndpoint.start(t);
    endpoint.domain("vm-002").cpuStats = cpuStats;
    for (let cycle = 0; cycle < 2; cycle++) {
      const { cpu } = await endpoint.sample("vm-002");
      assert.ok((cpu.user ?? 0n) > 0n && (cpu.system ?? 0n) > 0n);
      assert.equal(endpoint.newCalls("DOMAIN_GET_CPU_STATS"), cycle === 0 ? 4 : 3, "cgroups are still tried");
    }
  });
}

test("the CPU time does not fall after a restart of the daemon, although no family needs the bulk statistics", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { settings: { needs: [] } });
  // The process of QEMU counts less than its cgroup.
  for (const domain of endpoint.host.domains.values()) {
    const info = domain.info.bind(domain);
    domain.info = (seconds) => ({ ...info(seconds), cpuTimeNs: 1_000n });
  }
  const times = [(await endpoint.sample()).cpu.time];
  await endpoint.stopDaemon();
  const ready = Promise.withResolvers<undefined>();
  endpoint.host.cpuStatsReady = ready.promise;
  await endpoint.startDaemon();
  for (let cycle = 0; cycle < 4; cycle++) {
    times.push((await endpoint.sample()).cpu.time);
    if (cycle === 1) ready.resolve(undefined);
  }
  assert.deepEqual(
    times,
    times.toSorted((one, other) => Number((one ?? 0n) - (other ?? 0n))),
  );
});

function rejectCpuStats(): never {
  throw new ErrorReply(REMOTE_ERROR.OPERATION_INVALID, "cgroup CPUACCT controller is not mounted");
}
