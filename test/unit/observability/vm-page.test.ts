import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { DiskDetails } from "../../../src/collection/libvirt/disk-details.ts";
import { DISK_DETAILS } from "../../../src/collection/libvirt/disk-details.ts";
import type { AgentView } from "../../../src/observability/agent-view.ts";
import type { Answer } from "../../../src/observability/http-server.ts";
import { statusPages } from "../../../src/observability/status-page.ts";
import { agentView, launcher, vm } from "../../support/agent-view.ts";
import { disk } from "../../support/samples.ts";
import { texts } from "../../support/page-texts.ts";

function vmPage(view: AgentView, name: string, more = ""): Answer {
  return statusPages(view)["/vm"](new URLSearchParams(`name=${encodeURIComponent(name)}${more}`));
}

function withVms(...vms: readonly ReturnType<typeof vm>[]): AgentView {
  const { libvirt } = agentView();
  return agentView({ libvirt: { ...libvirt, endpoints: vms.map((one, index) => launcher(String(index), [one])) } });
}

test("the page of a VM has its disks and interfaces with their rates", () => {
  const one = vm("shop", "db", 1, { readBytes: 4096, sentBytes: 2048 });
  const shown = texts(vmPage(withVms(one, vm("shop", "web", 2)), "shop/db").body);
  assert.deepEqual(shown.slice(0, 4), ["shop/db", "running", "on worker-7.", "All VMs"]);
  const disk = shown.indexOf("vda");
  assert.deepEqual(shown.slice(disk, disk + 5), ["vda", "4.0 KiB/s", "0 B/s", "0.0", "0.0"]);
  const nic = shown.indexOf("tap0");
  assert.deepEqual(shown.slice(nic, nic + 9), ["tap0", "0 B/s", "2.0 KiB/s", "0.0", "0.0", "1", "3", "2", "4"]);
  assert.ok(!shown.includes("Read latency"));
});

test("the page of a VM has latency and sizes while the family Disks is on", () => {
  const { before, after } = vm("shop", "db", 1);
  const details: DiskDetails = {
    ...disk("vda"),
    ...{ readNs: 1n, writeNs: 1n, flushRequests: 1n, flushNs: 1n, capacity: 2n ** 30n, allocation: 2n ** 20n },
    ...{ physical: 1n, image: [], claim: "data", readLatencyUs: 1500, writeLatencyUs: undefined },
    flushLatencyUs: undefined,
  };
  const readings = new Map([[DISK_DETAILS, [details]]]);
  const shown = texts(vmPage(withVms({ before, after: { ...after, readings } }), "shop/db").body);
  for (const text of ["Read latency", "1.50 ms", "1.0 GiB", "1.0 MiB", "data"]) assert.ok(shown.includes(text), text);
  assert.ok(!shown.includes("Write latency"));
});

test("a VM that has only one sample has a page without rates", () => {
  const { after } = vm("shop", "db", 1);
  const { libvirt } = agentView();
  const endpoints = [launcher("x", [], { samples: [after] })];
  const { status, body } = vmPage(agentView({ libvirt: { ...libvirt, endpoints } }), "shop/db");
  assert.equal(status, undefined);
  assert.ok(texts(body).includes("no value yet"));
});

test("an unknown VM is answered 404 with a sentence and a link to all", () => {
  const { status, body } = vmPage(agentView(), "shop/none", "&refresh=off");
  assert.equal(status, 404);
  assert.match(body, /No VM on this node has this name\./);
  assert.match(body, /<a href="\/\?refresh=off">All VMs<\/a>/);
  assert.equal(statusPages(agentView())["/vm"](new URLSearchParams()).status, 404);
});

test("VMs with the same name are on one page, and no two sections have the same id", () => {
  const { body } = vmPage(withVms(...[1, 2, 3, 4, 5, 6].map((id) => vm("", "twin", id))), "twin");
  const ids = [...body.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
  assert.equal(new Set(ids).size, ids.length);
  assert.equal(texts(body).filter((text) => text.startsWith("UUID")).length, 4);
});

test("a link in the table leads to the page of its VM, whatever its name", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 60 }), fc.boolean(), (name, hostile) => {
      const label = hostile ? `"><script>'${name}&name=x#?` : name;
      const view = withVms(vm("", label, 1), vm("", "other", 2));
      const pages = statusPages(view);
      const { body } = pages["/"](new URLSearchParams());
      assert.doesNotMatch(body, /<script|"x=|'>/);
      const links = [...body.matchAll(/<th scope="row"><a href="([^"]*)">/g)].map(([, link = ""]) => unescape(link));
      assert.equal(links.length, 2);
      const found = links.map((link) => {
        assert.match(link, /^\/vm\?name=[\w.~!*'()%-]+$/);
        return pages["/vm"](new URL(link, "http://x").searchParams);
      });
      assert.deepEqual(
        found.map(({ status }) => status),
        [undefined, undefined],
      );
      for (const page of found) assert.doesNotMatch(page.body, /<script/);
    }),
    { numRuns: 200 },
  );
});

/** Returns the value of an attribute, as a browser reads it. */
function unescape(text: string): string {
  return text.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
}

test("a name of megabytes has no link", () => {
  const body = statusPages(withVms(vm("", "a".repeat(3_000_000), 1)))["/"](new URLSearchParams()).body;
  assert.doesNotMatch(body, /\/vm\?/);
});
