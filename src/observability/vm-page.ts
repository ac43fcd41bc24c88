import { deviceLoads, type DeviceLoads } from "../collection/device-loads.ts";
import { formatBytes } from "../lib/quantity.ts";
import type { AgentView } from "./agent-view.ts";
import type { Answer } from "./http-server.ts";
import { anchor, chip, factList, html, pageAnswer, tableSection, type Column, type Html } from "./page.ts";
import { byteRate, kib, latency, number, percent, rate, UNKNOWN } from "./page-values.ts";
import { highest, sparkline } from "./sparkline.ts";
import { statusLink, vmLink } from "./status-query.ts";
import type { ShownVm, VmList } from "./vm-list.ts";
import { PAST_LOADS, stateChip } from "./vm-table.ts";

/** VMs with the same name on one page. */
const MAX_VMS = 4;
/** More than any VM that was seen has of a kind. */
const MAX_DEVICES = 384;

/** Returns the page of the VMs with this name, which is one VM except on a host with several daemons; 404 without such a VM. */
export function vmAnswer(view: AgentView, list: VmList, name: string, refreshOff: boolean): Answer {
  const refresh = { isOff: refreshOff, other: vmLink(name, !refreshOff) };
  const all = anchor(statusLink({ search: "", sort: "name", page: 1, refreshOff }), "All VMs");
  const subtitle = html`on ${view.node ?? "this host"}. ${all}`;
  const vms = list.shown(list.named(name).slice(0, MAX_VMS));
  const [first] = vms;
  if (first === undefined) {
    const body = html`<section>
      <h2>No such VM</h2>
      <p>No VM on this node has this name. It may have ended, or run on another node now. ${all}</p>
    </section>`;
    const page = pageAnswer({ title: name, verdict: chip("not found", "warn"), subtitle, body: [body] }, refresh);
    return { ...page, status: 404 };
  }
  return pageAnswer({ title: first.label, verdict: stateChip(first), subtitle, body: vms.flatMap(sections) }, refresh);
}

function sections(vm: ShownVm, index: number): readonly Html[] {
  const { endpoint, sample } = vm;
  const { before, samples, devices = { before, samples } } = endpoint;
  const loads = deviceLoads(devices, sample.identity);
  // Two VMs on a page must not have sections with the same name.
  const suffix = index === 0 ? "" : ` (${index + 1})`;
  return [
    facts(vm),
    pictures(vm),
    diskSection(loads, suffix),
    nicSection(loads, suffix),
    html`<p class="soft">UUID ${sample.identity.uuid}, libvirt socket <code>${endpoint.endpoint}</code></p>`,
  ];
}

function facts({ sample: { cpu, memory }, load, details }: ShownVm): Html {
  return factList([
    ["CPU", percent(load?.cpuPercent), `of ${cpu.count ?? UNKNOWN} vCPUs; 100 % is one`],
    [
      "Memory",
      kib(memory.current),
      details?.usedPercent === undefined ? "" : `${percent(details.usedPercent.value)} in use`,
    ],
    ["Resident", kib(memory.rss), "of the host's memory"],
    ...(details?.stealPercent === undefined ? [] : [["Steal", percent(details.stealPercent.value), ""] as const]),
    ["Disk", byteRate(load?.diskReadBytes), `read; ${byteRate(load?.diskWriteBytes)} written`],
    ["Network", byteRate(load?.netReceivedBytes), `in; ${byteRate(load?.netSentBytes)} out`],
  ]);
}

function pictures({ past }: ShownVm): Html {
  const shown = PAST_LOADS.map((kind) => {
    const values = past?.[kind.load];
    const line = sparkline(values, { ...kind, isWide: true });
    const top = values && highest(values);
    const note = top === undefined ? "no value yet" : `at most ${kind.format(top)}`;
    return html`<div>
      <dt>${kind.name}, last ${values?.length ?? 0} cycles</dt>
      <dd>${line}<small>${note}</small></dd>
    </div> `;
  });
  return html`<dl class="facts past">${shown}</dl>`;
}

function diskSection({ disks }: DeviceLoads, suffix: string): Html {
  type Disk = DeviceLoads["disks"][number];
  const columns: readonly Column<Disk>[] = [
    {
      title: "Disk",
      cell: ({ device: { device, volume, claim } }) => html`${device} <small>${claim ?? volume}</small>`,
    },
    { title: "Read", kind: "number", cell: ({ perSecond }) => byteRate(perSecond.readBytes) },
    { title: "Write", kind: "number", cell: ({ perSecond }) => byteRate(perSecond.writeBytes) },
    { title: "Reads/s", kind: "number", cell: ({ perSecond }) => rate(perSecond.readRequests) },
    { title: "Writes/s", kind: "number", cell: ({ perSecond }) => rate(perSecond.writeRequests) },
  ];
  const optional: readonly Column<Disk>[] = [
    { title: "Read latency", kind: "number", cell: ({ device }) => latency(device.readLatencyUs) },
    { title: "Write latency", kind: "number", cell: ({ device }) => latency(device.writeLatencyUs) },
    { title: "Flush latency", kind: "number", cell: ({ device }) => latency(device.flushLatencyUs) },
    { title: "Capacity", kind: "number", cell: ({ device }) => bytes(device.capacity) },
    { title: "Allocated", kind: "number", cell: ({ device }) => bytes(device.allocation) },
  ];
  const shown = optional.filter(({ cell }) => disks.some((disk) => cell(disk) !== UNKNOWN));
  const title = `Disks${suffix}`;
  return tableSection(title, disks.slice(0, MAX_DEVICES), [...columns, ...shown], "No disk was read.");
}

function nicSection({ nics }: DeviceLoads, suffix: string): Html {
  const counted = (value: bigint | undefined): string => (value === undefined ? UNKNOWN : number(Number(value)));
  const columns: readonly Column<DeviceLoads["nics"][number]>[] = [
    { title: "Interface", cell: ({ device: { device, network } }) => html`${device} <small>${network}</small>` },
    { title: "In", kind: "number", cell: ({ perSecond }) => byteRate(perSecond.rxBytes) },
    { title: "Out", kind: "number", cell: ({ perSecond }) => byteRate(perSecond.txBytes) },
    { title: "Packets in/s", kind: "number", cell: ({ perSecond }) => rate(perSecond.rxPackets) },
    { title: "Packets out/s", kind: "number", cell: ({ perSecond }) => rate(perSecond.txPackets) },
    { title: "Errors in", kind: "number", cell: ({ device }) => counted(device.rxErrors) },
    { title: "Errors out", kind: "number", cell: ({ device }) => counted(device.txErrors) },
    { title: "Drops in", kind: "number", cell: ({ device }) => counted(device.rxDrops) },
    { title: "Drops out", kind: "number", cell: ({ device }) => counted(device.txDrops) },
  ];
  return tableSection(`Interfaces${suffix}`, nics.slice(0, MAX_DEVICES), columns, "No interface was read.");
}

function bytes(value: bigint | undefined): string {
  return value === undefined ? UNKNOWN : formatBytes(Number(value));
}
