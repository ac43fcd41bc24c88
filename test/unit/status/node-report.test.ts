import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeReport, type NodeObservation } from "../../../src/status/node-report.ts";
import { observation } from "../../support/observation.ts";

const NOW = Date.UTC(2026, 0, 1, 12);

function conditions(change: Partial<NodeObservation>): Record<string, string> {
  return Object.fromEntries(
    nodeReport(observation(change), undefined, NOW).conditions.map(({ type, status, reason }) => [
      type,
      `${status} ${reason}`,
    ]),
  );
}

test("the report of a healthy node", () => {
  assert.deepEqual(nodeReport(observation(), undefined, NOW), {
    config: { name: "default", uid: "u1", observedGeneration: 3 },
    selectedBy: ["default"],
    agent: {
      version: "1.2.3",
      podUID: "agent-pod",
      startedAt: "2026-01-01T00:00:00Z",
      reportedAt: "2026-01-01T12:00:00Z",
    },
    libvirt: { versions: ["9.0.0"], endpoints: 2, domains: 2 },
    targets: [{ name: "main", state: "Delivering", since: "2026-01-01T00:00:00Z", reason: "AsExpected" }],
    targetSummary: "1/1",
    conditions: [
      ["Ready", "the node's virtual machines are collected and delivered"],
      ["ConfigApplied", "generation 3 of default is in use"],
      ["NamesKnown", "the virtual machines of the node are known"],
      ["LibvirtReachable", "every libvirt daemon of the node answers"],
      ["TargetsDelivering", "every target accepts lines"],
      ["BufferHealthy", "no lines are dropped"],
    ].map(([type, message]) => ({
      type,
      status: "True",
      reason: type === "NamesKnown" ? "Known" : "AsExpected",
      message,
      lastTransitionTime: "2026-01-01T12:00:00Z",
    })),
  });
});

const LIBVIRT = observation().libvirt;
const failure = { where: "/p/pod-1/virtqemud-sock", denied: false, message: "no answer within 4s" };
const cases: readonly [what: string, change: Partial<NodeObservation>, expected: Record<string, string>][] = [
  [
    "no configuration: not ready, and nothing else is judged",
    { config: undefined, selectedBy: [], targets: [] },
    {
      Ready: "False NoConfig",
      ConfigApplied: "False NoConfig",
      LibvirtReachable: "Unknown NoConfig",
      TargetsDelivering: "Unknown NoConfig",
      BufferHealthy: "True AsExpected",
    },
  ],
  [
    "an unreadable configuration",
    { configFault: { reason: "InvalidConfig", message: "spec.targets: is missing" } },
    { Ready: "False InvalidConfig", ConfigApplied: "False InvalidConfig" },
  ],
  [
    "a missing Secret",
    { configFault: { reason: "SecretNotFound", message: "no Secret influx" } },
    { Ready: "False SecretNotFound", ConfigApplied: "False SecretNotFound" },
  ],
  [
    "a rejected list of VMIs, which does not change Ready",
    { namesFault: { reason: "Forbidden", message: "the API server rejects the list: 403" } },
    { Ready: "True AsExpected", NamesKnown: "False Forbidden" },
  ],
  [
    "a VMI that is too large, which does not change Ready",
    { namesFault: { reason: "TooLarge", message: "1 object is left out" } },
    { Ready: "True AsExpected", NamesKnown: "False TooLarge" },
  ],
  [
    "a list of VMIs without an answer, which does not change Ready",
    { namesFault: { reason: "Unreachable", message: "no answer" } },
    { Ready: "True AsExpected", NamesKnown: "False Unreachable" },
  ],
  [
    "one of two libvirt daemons without an answer, which does not change Ready",
    { libvirt: { ...LIBVIRT, answering: 1, failures: [failure] } },
    { Ready: "True EndpointTimeout", LibvirtReachable: "True EndpointTimeout" },
  ],
  [
    "no libvirt daemon of the node answers",
    { libvirt: { ...LIBVIRT, answering: 0, failures: [failure, failure] } },
    { Ready: "False EndpointTimeout", LibvirtReachable: "False EndpointTimeout" },
  ],
  [
    "one socket without permission, which does not change Ready",
    { libvirt: { ...LIBVIRT, answering: 1, failures: [{ ...failure, denied: true }] } },
    { Ready: "True SocketDenied", LibvirtReachable: "True SocketDenied" },
  ],
  [
    "a socket without permission takes precedence",
    { libvirt: { ...LIBVIRT, answering: 0, failures: [failure, { ...failure, denied: true }] } },
    { Ready: "False SocketDenied", LibvirtReachable: "False SocketDenied" },
  ],
  [
    "a launcher that misbehaves, which does not change Ready",
    { libvirt: { ...LIBVIRT, answering: 0, misbehavior: ["the launcher of shop/web ..."] } },
    { Ready: "True LauncherMisbehaving", LibvirtReachable: "True LauncherMisbehaving" },
  ],
  [
    "a libvirt daemon without an answer takes precedence over a launcher that misbehaves",
    { libvirt: { ...LIBVIRT, answering: 1, failures: [failure], misbehavior: ["one", "two"] } },
    { Ready: "True EndpointTimeout", LibvirtReachable: "True EndpointTimeout" },
  ],
  [
    "a launcher that is sampled less often, which does not change Ready",
    { libvirt: { ...LIBVIRT, sampledLessOften: ["the launcher of shop/web ..."] } },
    { Ready: "True SampledLessOften", LibvirtReachable: "True SampledLessOften" },
  ],
  [
    "a launcher that misbehaves takes precedence over one that is sampled less often",
    { libvirt: { ...LIBVIRT, misbehavior: ["one"], sampledLessOften: ["two"] } },
    { Ready: "True LauncherMisbehaving", LibvirtReachable: "True LauncherMisbehaving" },
  ],
  [
    "a node without virtual machines is ready",
    { libvirt: { ...LIBVIRT, endpoints: 0, answering: 0, domains: 0 } },
    { Ready: "True NoDomains", LibvirtReachable: "True NoDomains" },
  ],
  [
    "lines dropped at a limit",
    { bufferFault: { reason: "BufferFull", message: "1000 lines were dropped" } },
    { Ready: "False BufferFull", BufferHealthy: "False BufferFull" },
  ],
];

for (const [what, change, expected] of cases) {
  test(what, () => {
    assert.deepEqual({ ...conditions(change), ...expected }, conditions(change));
  });
}

test("the first failing target gives the reason, all failing targets the message", () => {
  const target = { name: "a", state: "Failing", sinceMs: NOW, reason: "TargetNotFound", detail: "HTTP 404" } as const;
  const report = nodeReport(
    observation({
      targets: [target, { ...target, name: "b", reason: "TargetUnreachable", detail: "connect ECONNREFUSED" }],
    }),
    undefined,
    NOW,
  );
  const [ready] = report.conditions;
  assert.deepEqual([ready?.status, ready?.reason, report.targetSummary], ["False", "TargetNotFound", "0/2"]);
  assert.equal(ready?.message, "TargetsDelivering: a: HTTP 404; b: connect ECONNREFUSED");
});

test("a long message is cut to the length in the schema", () => {
  const report = nodeReport(
    observation({ configFault: { reason: "InvalidConfig", message: "x".repeat(5_000) } }),
    undefined,
    NOW,
  );
  assert.ok(report.conditions.every(({ message }) => message.length <= 1024));
});

test("launchers that misbehave are named, also beside a fault", () => {
  const message = (libvirt: Partial<NodeObservation["libvirt"]>): string | undefined => {
    const observed = observation({ libvirt: { ...observation().libvirt, ...libvirt } });
    return nodeReport(observed, undefined, NOW).conditions.find(({ type }) => type === "LibvirtReachable")?.message;
  };
  const misbehavior = ["the launcher of shop/web misbehaves", "other", "other"];
  const sampledLessOften = ["the launcher of shop/db is sampled less often"];
  assert.equal(message({ misbehavior }), "the launcher of shop/web misbehaves, and 2 more");
  assert.equal(message({ misbehavior, sampledLessOften }), `${misbehavior[0]}, and 2 more; ${sampledLessOften[0]}`);
  assert.equal(
    message({ misbehavior, failures: [failure, failure] }),
    `${failure.where}: ${failure.message}, and 1 more of 2; the launcher of shop/web misbehaves, and 2 more`,
  );
});
