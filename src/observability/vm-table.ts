import type { DomainDetails } from "../collection/domain-details.ts";
import type { DomainLoad } from "../collection/domain-load.ts";
import type { DomainOverview } from "../collection/domain-overview.ts";
import { stateName } from "../collection/domain-sample.ts";
import type { PastLoads } from "../collection/load-history.ts";
import type { AgentView } from "./agent-view.ts";
import { anchor, chip, html, refreshSetting, tableSection, type Column, type Html } from "./page.ts";
import { byteRate, kib, latency, percent, UNKNOWN } from "./page-values.ts";
import { sparkline } from "./sparkline.ts";
import { MAX_LABEL, statusLink, vmLink, type SortKey, type StatusQuery } from "./status-query.ts";
import { PAGE_VMS, type ShownVm, type VmList } from "./vm-list.ts";

/** A longer name has no link: a request has at most 8 KiB. */
const MAX_LINKED = 500;

/** A load as a picture. */
export const PAST_LOADS: readonly {
  readonly name: string;
  readonly load: keyof PastLoads;
  readonly least: number;
  readonly format: (value: number) => string;
}[] = [
  { name: "CPU", load: "cpuPercent", least: 25, format: percent },
  { name: "Disk", load: "diskBytes", least: 64 * 1024, format: byteRate },
  { name: "Network", load: "netBytes", least: 64 * 1024, format: byteRate },
];
const [CPU, DISK, NETWORK] = PAST_LOADS;

type Detail = keyof DomainDetails;

/** Returns a function that says whether any VM has this value of a family that is off by default. */
export function hasDetail({ libvirt }: Pick<AgentView, "libvirt">): (detail: Detail) => boolean {
  return (detail) =>
    libvirt.endpoints.some(({ details }) => [...details.values()].some((one) => one[detail]?.value !== undefined));
}

/** Returns the table of the VMs that the query selects, with its search. */
export function vmSection(list: VmList, query: StatusQuery, has: (detail: Detail) => boolean): Html {
  const { vms, matching, pages } = list.page(query);
  const sort = (key: SortKey) => ({
    link: statusLink({ ...query, sort: key, page: 1 }),
    isActive: query.sort === key,
  });
  const perSecond = (title: string, value: (load: DomainLoad) => number | undefined): Column<ShownVm> => ({
    title,
    kind: "number",
    cell: ({ load }) => byteRate(load && value(load)),
  });
  const columns: readonly Column<ShownVm>[] = [
    { title: "VM", cell: ({ label }) => nameCell(label, query.refreshOff), sort: sort("name") },
    { title: "State", cell: stateChip },
    { title: "vCPUs", kind: "number", cell: ({ sample }) => sample.cpu.count ?? UNKNOWN },
    {
      title: "CPU",
      kind: "number",
      cell: ({ load, past }) =>
        html`<div class="drawn">${picture(past, CPU)}<span>${percent(load?.cpuPercent)}</span></div>`,
      sort: sort("cpu"),
    },
    { title: "Memory", kind: "number", cell: ({ sample }) => kib(sample.memory.current), sort: sort("memory") },
    { title: "Resident", kind: "number", cell: ({ sample }) => kib(sample.memory.rss), sort: sort("resident") },
    ...DETAIL_COLUMNS.filter(({ detail }) => has(detail)),
    { title: "Disk", kind: "number", cell: ({ past }) => picture(past, DISK) ?? UNKNOWN, sort: sort("disk") },
    perSecond("Read", ({ diskReadBytes }) => diskReadBytes),
    perSecond("Write", ({ diskWriteBytes }) => diskWriteBytes),
    { title: "Network", kind: "number", cell: ({ past }) => picture(past, NETWORK) ?? UNKNOWN, sort: sort("network") },
    perSecond("In", ({ netReceivedBytes }) => netReceivedBytes),
    perSecond("Out", ({ netSentBytes }) => netSentBytes),
  ];
  const empty = list.all.length === 0 ? "No VM was found." : "No VM has this in its name.";
  const table = tableSection("VMs", list.shown(vms), columns, empty, searchForm(query, matching));
  if (pages === 1) return table;
  const first = (query.page - 1) * PAGE_VMS;
  const range = `VMs ${first + 1} to ${first + vms.length} of ${matching}.`;
  return html`${table}
    <p class="soft">${range} ${pageLinks(query, pages)}</p>`;
}

const DETAIL_COLUMNS: readonly (Column<ShownVm> & { readonly detail: Detail })[] = [
  {
    title: "In use",
    kind: "number",
    detail: "usedPercent",
    cell: ({ details }) => percent(details?.usedPercent?.value),
  },
  {
    title: "Steal",
    kind: "number",
    detail: "stealPercent",
    cell: ({ details }) => percent(details?.stealPercent?.value),
  },
  { title: "Latency", kind: "number", detail: "latencyUs", cell: ({ details }) => latency(details?.latencyUs?.value) },
];

function picture(past: PastLoads | undefined, kind: (typeof PAST_LOADS)[number] | undefined): Html | undefined {
  return kind && sparkline(past?.[kind.load], kind);
}

function nameCell(label: string, refreshOff: boolean): Html | string {
  return label.length > MAX_LINKED || !label.isWellFormed() ? label : anchor(vmLink(label, refreshOff), label);
}

/** Returns the search as a form, which works without scripts. It keeps the other settings. */
function searchForm(query: StatusQuery, matching: number): Html {
  const { search, sort, refreshOff } = query;
  const kept = { sort: sort === "name" ? "" : sort, refresh: refreshSetting(refreshOff) };
  const hidden = Object.entries(kept).flatMap(([name, value]) =>
    value === "" ? [] : [html`<input type="hidden" name="${name}" value="${value}" />`],
  );
  const found =
    search === ""
      ? undefined
      : html`<span class="soft">${matching} found.</span>
          ${anchor(statusLink({ ...query, search: "", page: 1 }), "Show all")}`;
  return html`<form role="search" action="/">
    <label for="q">Name</label>
    <input id="q" type="search" name="q" value="${search}" maxlength="${MAX_LABEL}" />
    ${hidden}
    <button>Search</button>
    ${found}
  </form>`;
}

/** Returns links to the first, the previous, the next and the last page; without those that lead nowhere. */
function pageLinks(query: StatusQuery, pages: number): readonly Html[] {
  const { page } = query;
  const back: readonly (readonly [string, number])[] = [
    ["First", 1],
    ["Previous", page - 1],
  ];
  const on: readonly (readonly [string, number])[] = [
    ["Next", page + 1],
    ["Last", pages],
  ];
  return [...(page > 1 ? back : []), ...(page < pages ? on : [])].map(
    ([text, to]) => html`${anchor(statusLink({ ...query, page: to }), text)} `,
  );
}

/** Returns the state of a VM, and why it does not run. */
export function stateChip({ sample: { state }, stuck, details }: DomainOverview): Html {
  if (stuck) return chip("QEMU stuck", "bad");
  const reason = details?.reason?.value;
  const why = reason === undefined ? undefined : html` <small>${reason}</small>`;
  return html`${chip(stateName(state), state === 1 ? "good" : "warn")}${why}`;
}
