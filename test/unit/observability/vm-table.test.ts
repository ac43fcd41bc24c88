import assert from "node:assert/strict";
import { test } from "node:test";
import { domainOverviews } from "../../../src/collection/domain-overview.ts";
import { byteRate, percent } from "../../../src/observability/page-values.ts";
import { statusPage } from "../../../src/observability/status-page.ts";
import { troubledView } from "../../support/agent-view.ts";
import { texts } from "../../support/page-texts.ts";

const view = troubledView();
const vms = view.libvirt.endpoints.flatMap((endpoint) => domainOverviews(endpoint));
const { body } = statusPage(view, new URLSearchParams());

/** Returns the row of a VM. */
function row(label: string): string {
  return body.split("<tr>").find((part) => part.includes(`>${label}</a>`)) ?? assert.fail(label);
}

/** Returns the last value and the path of each picture in a row. */
function pictures(label: string): readonly { readonly last: string; readonly path: string }[] {
  const found = row(label).matchAll(/<title>\w+: ([^,]+), at most [^<]*<\/title><path d="([^"]*)"/g);
  return [...found].map(([, last = "", path = ""]) => ({ last, path }));
}

test("the pictures of the sample page end with the numbers beside them", () => {
  assert.equal(vms.length, 4);
  for (const { label, load } of vms) {
    assert.ok(load !== undefined);
    const { cpuPercent, diskReadBytes = 0, diskWriteBytes = 0, netReceivedBytes = 0, netSentBytes = 0 } = load;
    assert.deepEqual(
      pictures(label).map(({ last }) => last),
      [percent(cpuPercent), byteRate(diskReadBytes + diskWriteBytes), byteRate(netReceivedBytes + netSentBytes)],
      label,
    );
    const shown = texts(`<body>${row(label)}`);
    const numbers = [
      percent(cpuPercent),
      ...[diskReadBytes, diskWriteBytes, netReceivedBytes, netSentBytes].map(byteRate),
    ];
    assert.deepEqual(
      shown.filter((text) => /%|\/s$/.test(text)),
      numbers,
      label,
    );
  }
});

test("a VM of the sample page without traffic has a flat line, and VMs differ", () => {
  const disks = vms.map(({ label }) => ({ label, path: pictures(label)[1]?.path ?? assert.fail(label) }));
  const isFlat = (path: string): boolean => /^(M\d+ 30l0 0( 1 0)*)+$/.test(path);
  assert.deepEqual(
    disks.filter(({ path }) => !isFlat(path)).map(({ label }) => label),
    ["shop/orders-db"],
  );
  for (const column of [0, 2]) {
    const paths = vms.map(({ label }) => pictures(label)[column]?.path ?? assert.fail(label));
    assert.equal(new Set(paths).size, vms.length);
  }
});
