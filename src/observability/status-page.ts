import { unansweredDomains } from "../collection/source.ts";
import { formatBytes, formatSpan } from "../lib/quantity.ts";
import type { AgentView, EndpointStateName, EndpointView, TargetView } from "./agent-view.ts";
import { BUSY, boundedAnswers, busyText } from "./bounded-answers.ts";
import { firstDaemons } from "./first-daemons.ts";
import type { Answer } from "./http-server.ts";
import {
  chip,
  factList,
  html,
  longText,
  pageAnswer,
  tableSection,
  type Column,
  type Html,
  type PageContent,
  type Tone,
} from "./page.ts";
import { number, UNKNOWN } from "./page-values.ts";
import { errorText, MAX_PROBLEMS, problemsOf } from "./problems.ts";
import { publicConfig } from "./public-config.ts";
import { statusJson } from "./status-json.ts";
import { statusLink, statusQuery, vmLink, type StatusQuery } from "./status-query.ts";
import { VmList } from "./vm-list.ts";
import { vmAnswer } from "./vm-page.ts";
import { hasDetail, vmSection } from "./vm-table.ts";
import { watchSection } from "./watch-view.ts";

/** Returns the current state of the node as a page. */
export function statusPage(view: AgentView, query: URLSearchParams): Answer {
  return statusPages(view)["/"](query);
}

/** The paths that show the state of the VMs. */
export const STATUS_PATHS = ["/", "/vm", "/status.json"] as const;
export type StatusPages = Readonly<Record<(typeof STATUS_PATHS)[number], (query: URLSearchParams) => Answer>>;

/**
 * Returns the pages of one snapshot by path and query. Each is made when it is first asked for, and what they share is made once.
 * They share one bound on the number of different pages; only the first page, and the first of `/status.json`, are outside of it.
 */
export function statusPages(view: AgentView): StatusPages {
  const problems = problemsOf(view);
  const vms = new VmList(view);
  const about = aboutNode(view, problems.length);
  const before = [problemSection(problems), facts(view), targetSection(view)];
  const after = [endpointSection(view), ...watchSection(view.watches), configSection(view)];
  const statusOf = (query: StatusQuery): Answer => {
    const other = statusLink({ ...query, refreshOff: !query.refreshOff });
    const body = [...before, vmSection(vms, query, hasDetail(view)), ...after];
    return pageAnswer({ ...about, body }, { isOff: query.refreshOff, other });
  };
  // Which pages of a search exist is known only after it.
  const existing = (query: StatusQuery): StatusQuery => ({ ...query, page: vms.nearestPage(query) });
  const answer = boundedAnswers<Request>(
    ({ path, query, name }) => {
      if (path === "/") return statusOf(existing(query));
      return path === "/vm"
        ? vmAnswer(view, vms, name, query.refreshOff)
        : statusJson(view, vms, problems, existing(query));
    },
    ({ path, query, name }, isFull) => {
      if (path === "/vm") return vmLink(name, query.refreshOff);
      // No answer is known of a search that was not made, and it is not made for one that is rejected.
      const shown = isFull && !vms.isSearched(query) ? query : existing(query);
      return statusLink(path === "/" ? shown : { ...shown, refreshOff: false }, path);
    },
    { reserved: RESERVED, busy: (link) => busyAnswer(link, about) },
  );
  const route =
    (path: Request["path"]) =>
    (params: URLSearchParams): Answer =>
      answer({ path, query: statusQuery(params), name: params.get("name") ?? "" });
  return { "/": route("/"), "/vm": route("/vm"), "/status.json": route("/status.json") };
}

interface Request {
  readonly path: (typeof STATUS_PATHS)[number];
  readonly query: StatusQuery;
  /** Of a VM. */
  readonly name: string;
}

const RESERVED: ReadonlySet<string> = new Set(["/", "/?refresh=off", "/status.json"]);

/** Returns a small page that loads the wanted one again, or a text for a program. */
function busyAnswer(link: string, about: Omit<PageContent, "body">): Answer {
  if (link.startsWith("/status.json")) return busyText();
  const body = html`<section>
    <h2>Too many pages</h2>
    <p>${BUSY}</p>
  </section>`;
  const page = pageAnswer({ ...about, body: [body] }, { isOff: false, other: "/?refresh=off" });
  return { ...page, status: 503, headers: { ...page.headers, "retry-after": "1" } };
}

function aboutNode(view: AgentView, problems: number): Omit<PageContent, "body"> {
  const { version, startedMs } = view.process;
  return {
    title: view.node ?? "kubevirt-telemetry",
    verdict: verdict(view, problems),
    subtitle: html`kubevirt-telemetry ${version}, up ${formatSpan(view.nowMs - startedMs)}`,
  };
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
  return factList([
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
  ]);
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
  const shown = firstDaemons(endpoints);
  const table = tableSection("Libvirt daemons", shown, columns, "No libvirt daemon was found.");
  if (shown.length === endpoints.length) return table;
  const note = `${shown.length} of ${endpoints.length} libvirt daemons. Those that are not up come first.`;
  return html`${table}
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
