import type { DomainLoad } from "../collection/domain-load.ts";
import { domainOverviews, type DomainOverview } from "../collection/domain-overview.ts";
import { stateName } from "../collection/domain-sample.ts";
import { formatBytes, formatSpan } from "../lib/quantity.ts";
import type { AgentView, EndpointStateName, EndpointView, TargetView } from "./agent-view.ts";
import type { Answer } from "./http-server.ts";
import {
  chip,
  html,
  longText,
  pageAnswer,
  pageLink,
  pageQuery,
  sharedAnswers,
  tableSection,
  type Column,
  type Html,
  type PageQuery,
  type Tone,
} from "./page.ts";
import { errorText, problemsOf, unansweredDomains } from "./problems.ts";
import { publicConfig } from "./public-config.ts";
import { watchSection } from "./watch-view.ts";

/** Rows of a table on one page. */
const PAGE_ROWS = 200;
const MAX_PROBLEMS = 50;
const UNKNOWN = "–";

/** Returns the current state of the node as a page. */
export function statusPage(view: AgentView, query: URLSearchParams): Answer {
  return statusPages(view)(query);
}

/**
 * Returns the pages of one snapshot by query. Each is made when it is first asked for, and what they share is made once. So the
 * cost of all pages grows with the number of VMs, and not with the number of readers.
 */
export function statusPages(view: AgentView): (query: URLSearchParams) => Answer {
  const problems = problemsOf(view);
  const { version, startedMs } = view.process;
  const rows = view.libvirt.endpoints.flatMap(domainOverviews).sort((a, b) => (a.label < b.label ? -1 : 1));
  const pages = Math.max(1, Math.ceil(rows.length / PAGE_ROWS));
  const before = [problemSection(problems), facts(view), targetSection(view)];
  const after = [endpointSection(view), ...watchSection(view.watches), configSection(view)];
  const content = {
    title: view.node ?? "kubevirt-telemetry",
    verdict: verdict(view, problems.length),
    subtitle: html`kubevirt-telemetry ${version}, up ${formatSpan(view.nowMs - startedMs)}`,
  };
  const answer = sharedAnswers((query) =>
    pageAnswer({ ...content, body: [...before, domainSection(rows, query, pages), ...after] }, query),
  );
  return (query) => answer(pageQuery(query, pages));
}

function verdict({ config }: AgentView, problems: number): Html {
  if (problems > 0) return chip(problems === 1 ? "1 problem" : `${problems} problems`, "bad");
  if (config.active === undefined) return chip("not configured", "warn");
  return config.active.state === "Suspended" ? chip("suspended", "warn") : chip("healthy", "good");
}

function problemSection(problems: readonly string[]): Html {
  if (problems.length === 0) return html``;
  const shown = problems.slice(0, MAX_PROBLEMS);
  const hidden = problems.length - shown.length;
  const items = [...shown, ...(hidden > 0 ? [`and ${hidden} more`] : [])].map((text) => html`<li>${text}</li> `);
  return html`<section class="alarm" aria-labelledby="problems">
    <h2 id="problems">Problems</h2>
    <ul>
      ${items}
    </ul>
  </section>`;
}

function facts({ libvirt, cycles, spool, config, process }: AgentView): Html {
  const { count, sum } = cycles.durations;
  const domains = libvirt.endpoints.reduce((total, { samples }) => total + samples.length, 0);
  const cap = config.active?.buffer.maxBytes;
  const entries: readonly (readonly [string, string | number, string])[] = [
    ["VMs", domains, `of ${libvirt.endpoints.length} libvirt ${libvirt.endpoints.length === 1 ? "daemon" : "daemons"}`],
    [
      "Interval",
      config.active === undefined ? UNKNOWN : formatSpan(config.active.intervalMs),
      `${number(cycles.cycles)} cycles`,
    ],
    [
      "Average cycle",
      count === 0 ? UNKNOWN : `${Math.round((sum / count) * 1000)} ms`,
      `${cycles.skippedTicks} skipped`,
    ],
    ["Lines", number(spool.appendedLines), "since the start"],
    ["Buffer", formatBytes(spool.bytes), cap === undefined ? "" : `of ${formatBytes(cap)}`],
    ["Memory", formatBytes(process.residentBytes), `${process.cpuSeconds.toFixed(1)} s of CPU`],
  ];
  return html`<dl class="facts">
    ${entries.map(
      ([name, value, more]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value} <small>${more}</small></dd>
        </div> `,
    )}
  </dl>`;
}

const TARGET_TONES: Readonly<Record<TargetView["record"]["state"], Tone>> = {
  Idle: "none",
  Delivering: "good",
  Failing: "bad",
};

function targetSection({ targets, nowMs }: AgentView): Html {
  const ago = (ms: number | undefined): string => (ms === undefined ? "never" : `${formatSpan(nowMs - ms)} ago`);
  const columns: readonly Column<TargetView>[] = [
    { title: "Target", cell: ({ name, url }) => html`${name} <small>${url}</small>` },
    {
      title: "State",
      cell: ({ record: { state, sinceMs } }) =>
        html`${chip(state, TARGET_TONES[state])} <small>for ${formatSpan(nowMs - sinceMs)}</small>`,
    },
    { title: "Last success", kind: "number", cell: ({ record }) => ago(record.lastSuccessMs) },
    { title: "Queued", kind: "number", cell: queued },
    { title: "Stored", kind: "number", cell: ({ record }) => number(record.deliveredLines) },
    { title: "Rejected", kind: "number", cell: ({ record }) => number(record.rejectedLines) },
    {
      title: "Dropped",
      kind: "number",
      cell: ({ losses }) => number(Object.values(losses).reduce((sum, lines) => sum + lines, 0)),
    },
    { title: "Error", kind: "text", cell: ({ record }) => record.detail ?? UNKNOWN },
  ];
  return tableSection("Targets", targets, columns, "No target is configured.");
}

function queued({ backlog: { lines, bytes }, oldestAgeMs }: TargetView): Html {
  const more =
    oldestAgeMs === undefined
      ? undefined
      : html` <small>${formatBytes(bytes)}, oldest ${formatSpan(oldestAgeMs)}</small>`;
  return html`${number(lines)}${more}`;
}

function domainSection(rows: readonly DomainOverview[], query: PageQuery, pages: number): Html {
  const perSecond = (title: string, value: (load: DomainLoad) => number | undefined): Column<DomainOverview> => ({
    title,
    kind: "number",
    cell: ({ load }) => rate(load && value(load)),
  });
  const columns: readonly Column<DomainOverview>[] = [
    { title: "VM", cell: ({ label }) => label },
    { title: "State", cell: stateChip },
    { title: "vCPUs", kind: "number", cell: ({ sample }) => sample.cpu.count ?? UNKNOWN },
    { title: "CPU", kind: "number", cell: ({ load }) => percent(load?.cpuPercent) },
    { title: "Memory", kind: "number", cell: ({ sample }) => kib(sample.memory.current) },
    { title: "Resident", kind: "number", cell: ({ sample }) => kib(sample.memory.rss) },
    ...optionalColumns(rows),
    perSecond("Disk read", ({ diskReadBytes }) => diskReadBytes),
    perSecond("Disk write", ({ diskWriteBytes }) => diskWriteBytes),
    perSecond("Net in", ({ netReceivedBytes }) => netReceivedBytes),
    perSecond("Net out", ({ netSentBytes }) => netSentBytes),
  ];
  const first = (query.page - 1) * PAGE_ROWS;
  const shown = rows.slice(first, first + PAGE_ROWS);
  const range = html`VMs ${first + 1} to ${first + shown.length} of ${rows.length}.`;
  const more = pages > 1 ? html`<p class="soft">${range} ${pageLinks(query, pages)}</p>` : undefined;
  return html`${tableSection("VMs", shown, columns, "No VM was found.")}${more}`;
}

/** Returns the columns of families that are off by default, if any VM has a value. */
function optionalColumns(rows: readonly DomainOverview[]): readonly Column<DomainOverview>[] {
  const columns: readonly Column<DomainOverview>[] = [
    { title: "In use", kind: "number", cell: ({ details }) => percent(details?.usedPercent?.value) },
    { title: "Steal", kind: "number", cell: ({ details }) => percent(details?.stealPercent?.value) },
    { title: "Latency", kind: "number", cell: ({ details }) => latency(details?.latencyUs?.value) },
  ];
  return columns.filter(({ cell }) => rows.some((row) => cell(row) !== UNKNOWN));
}

/** Returns links to the first, the previous, the next and the last page; without those that lead nowhere. */
function pageLinks(query: PageQuery, pages: number): readonly Html[] {
  const { page } = query;
  const links: readonly (readonly [string, number])[] = [
    ...(page > 1
      ? ([
          ["First", 1],
          ["Previous", page - 1],
        ] as const)
      : []),
    ...(page < pages
      ? ([
          ["Next", page + 1],
          ["Last", pages],
        ] as const)
      : []),
  ];
  return links.map(([text, to]) => html`<a href="${pageLink({ ...query, page: to })}">${text}</a> `);
}

function stateChip({ sample: { state }, stuck, details }: DomainOverview): Html {
  if (stuck) return chip("QEMU stuck", "bad");
  const reason = details?.reason?.value;
  const why = reason === undefined ? undefined : html` <small>${reason}</small>`;
  return html`${chip(stateName(state), state === 1 ? "good" : "warn")}${why}`;
}

const ENDPOINT_TONES: Readonly<Record<EndpointStateName, Tone>> = {
  up: "good",
  stuck: "bad",
  failed: "bad",
  absent: "none",
};

function endpointSection({ libvirt, monotonicMs }: AgentView): Html {
  const columns: readonly Column<EndpointView>[] = [
    { title: "libvirt socket", cell: ({ endpoint }) => html`<code>${endpoint}</code>` },
    {
      title: "State",
      cell: ({ state, sinceMs }) =>
        html`${chip(state, ENDPOINT_TONES[state])} <small>for ${formatSpan(monotonicMs - sinceMs)}</small>`,
    },
    { title: "VMs", kind: "number", cell: ({ samples }) => samples.length },
    { title: "Error", kind: "text", cell: endpointError },
  ];
  const { endpoints } = libvirt;
  if (endpoints.length <= PAGE_ROWS)
    return tableSection("Libvirt daemons", endpoints, columns, "No libvirt daemon was found.");
  const shown = [...endpoints].sort((a, b) => Number(a.state === "up") - Number(b.state === "up")).slice(0, PAGE_ROWS);
  const note = `${shown.length} of ${endpoints.length} libvirt daemons. Those that are not up come first.`;
  return html`${tableSection("Libvirt daemons", shown, columns, "")}
    <p class="soft">${note}</p>`;
}

function endpointError(view: EndpointView): string {
  const { error } = view;
  return [...unansweredDomains(view), ...(error === undefined ? [] : [errorText(error)])].join("; ") || UNKNOWN;
}

function configSection({ config }: AgentView): Html {
  const { active, source, generation } = config;
  const origin = generation === undefined ? source : `${source}, generation ${generation}`;
  if (active === undefined)
    return html`<section>
      <h2>Configuration</h2>
      <p class="soft">No configuration: nothing is collected.</p>
    </section>`;
  return html`<section aria-labelledby="configuration">
    <h2 id="configuration">Configuration</h2>
    <p class="soft">Active, from ${origin}. Secrets are not shown.</p>
    <pre>${longText(publicConfig(active))}</pre>
  </section>`;
}

function number(value: number): string {
  return value.toLocaleString("en");
}

function percent(value: number | undefined): string {
  return value === undefined ? UNKNOWN : `${value.toFixed(1)} %`;
}

function latency(microseconds: number | undefined): string {
  return microseconds === undefined ? UNKNOWN : `${(microseconds / 1000).toFixed(2)} ms`;
}

function rate(bytes: number | undefined): string {
  return bytes === undefined ? UNKNOWN : `${formatBytes(bytes)}/s`;
}

function kib(value: bigint | undefined): string {
  return value === undefined ? UNKNOWN : formatBytes(Number(value) * 1024);
}
