import assert from "node:assert/strict";
import { test } from "node:test";
import { DomainHistory } from "../../../../src/collection/libvirt/domain-history.ts";
import { sample } from "../../../support/samples.ts";

const WEB = { name: "web", uuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01", id: 1 };

function values(current: bigint | undefined, monotonicMs: number, cpuTimeNs = 0n) {
  return { memory: { ...sample().memory, current, monotonicMs }, cpuTimeNs };
}

test("a domain has no previous point at first, and then that of the cycle before", () => {
  const history = new DomainHistory();
  assert.equal(history.update(WEB, values(10n, 0)).previous, undefined);
  assert.deepEqual(history.update(WEB, values(20n, 5)).previous, { current: 10n, monotonicMs: 0 });
  assert.deepEqual(history.update(WEB, values(30n, 9)).previous, { current: 20n, monotonicMs: 5 });
});

test("a cycle without a memory value is skipped: the next rate covers the longer time", () => {
  const history = new DomainHistory();
  history.update(WEB, values(10n, 0));
  history.update(WEB, values(undefined, 5));
  assert.deepEqual(history.update(WEB, values(30n, 9)).previous, { current: 10n, monotonicMs: 0 });
});

test("a restarted domain and another domain with the same id have no previous point", () => {
  const history = new DomainHistory();
  history.update(WEB, values(10n, 0));
  assert.equal(history.update({ ...WEB, id: 2 }, values(20n, 5)).previous, undefined);
  const other = { ...WEB, uuid: "00000000-0000-0000-0000-000000000002" };
  assert.equal(history.update(other, values(20n, 5)).previous, undefined);
});

test("a run that has the id of an old one and less CPU time has no previous point", () => {
  const history = new DomainHistory();
  history.update(WEB, values(10n, 0, 500n));
  assert.equal(history.update(WEB, values(20n, 5, 3n)).previous, undefined);
  assert.deepEqual(history.update(WEB, values(30n, 9, 4n)).previous, { current: 20n, monotonicMs: 5 });
});

test("a domain that is no longer listed is forgotten", () => {
  const history = new DomainHistory();
  history.update(WEB, values(10n, 0));
  history.retain([]);
  assert.equal(history.update(WEB, values(20n, 5)).previous, undefined);
});

test("the identity is the same object until it changes", () => {
  const history = new DomainHistory();
  const { identity } = history.update(WEB, values(10n, 0));
  assert.deepEqual(identity, { id: 1, uuid: WEB.uuid, name: "web" });
  assert.equal(history.update({ ...WEB }, values(20n, 5)).identity, identity);
});

test("a renamed domain gets its new name and keeps its rate", () => {
  const history = new DomainHistory();
  history.update(WEB, values(10n, 0));
  const { identity, previous } = history.update({ ...WEB, name: "shop" }, values(20n, 5));
  assert.equal(identity.name, "shop");
  assert.deepEqual(previous, { current: 10n, monotonicMs: 0 });
});

test("a domain with a new VM name has a new identity and keeps its history", () => {
  const history = new DomainHistory();
  const named = { name: "web", namespace: "shop", labels: { app: "a" }, tags: [["app", "a"]] } as const;
  const first = history.update(WEB, values(10n, 0), named);
  assert.deepEqual(first.identity, { id: WEB.id, uuid: WEB.uuid, ...named });
  assert.equal(history.update(WEB, values(20n, 5), named).identity, first.identity);
  const again = history.update(WEB, values(30n, 9), { ...named, namespace: "other" });
  assert.equal(again.identity.namespace, "other");
  assert.deepEqual(again.previous, { current: 20n, monotonicMs: 5 });
});

test("the identity has the UUID of the VM; the history uses that of libvirt", () => {
  const history = new DomainHistory();
  const named = { name: "web", uuid: "0d3f1f6c-0f0e-5b0c-8f8e-2f4f5f0b7a11" };
  const first = history.update(WEB, values(10n, 0), named);
  assert.equal(first.identity.uuid, named.uuid);
  const { identity, previous } = history.update({ ...WEB }, values(20n, 5), { ...named });
  assert.equal(identity, first.identity);
  assert.deepEqual(previous, { current: 10n, monotonicMs: 0 });
  const other = { ...WEB, uuid: "00000000-0000-0000-0000-000000000002" };
  assert.equal(history.update(other, values(20n, 5), named).previous, undefined);
  assert.equal(history.update(WEB, values(30n, 9), { name: "web" }).identity.uuid, WEB.uuid);
});
