import type { DomainLoad } from "../collection/domain-load.ts";
import { stateName } from "../collection/domain-sample.ts";
import { unansweredDomains } from "../collection/source.ts";
import { foreignText } from "../lib/display-text.ts";
import type { AgentView, EndpointView, TargetView } from "./agent-view.ts";
import { firstDaemons } from "./first-daemons.ts";
import type { Answer } from "./http-server.ts";
import { errorText, MAX_PROBLEMS } from "./problems.ts";
import type { StatusQuery } from "./status-query.ts";
import type { ShownVm, VmList } from "./vm-list.ts";

/** As on the page. */
const MAX_TEXT = 500;

/**
 * Returns the state of the node for programs: what the page shows, with the same query, in base units. docs/status-page.md has the
 * fields. A value that is not known is null. Only fields that are named here are shown, so no secret is.
 */
export function statusJson(view: AgentView, list: VmList, problems: readonly string[], query: StatusQuery): Answer {
  const { process, node, nowMs, monotonicMs, config, cycles, libvirt, targets, spool } = view;
  const { vms, matching, page, pages } = list.page(query);
  const state = {
    version: process.version,
    node: text(node),
    time: time(nowMs),
    started: time(process.startedMs),
    problemCount: problems.length,
    problems: problems.slice(0, MAX_PROBLEMS).map(text),
    configuration: {
      state: config.active?.state ?? null,
      source: text(config.source),
      generation: config.generation ?? null,
      intervalSeconds: config.active === undefined ? null : config.active.intervalMs / 1000,
      fault: config.fault === undefined ? null : text(`${config.fault.reason}: ${config.fault.message}`),
    },
    cycles: { count: cycles.cycles, incomplete: cycles.incomplete, skipped: cycles.skippedTicks },
    buffer: { bytes: spool.bytes, maxBytes: config.active?.buffer.maxBytes ?? null, lines: spool.appendedLines },
    targets: targets.map((target) => targetState(target, nowMs)),
    daemonCount: libvirt.endpoints.length,
    daemons: firstDaemons(libvirt.endpoints).map((daemon) => daemonState(daemon, monotonicMs)),
    vmCount: list.all.length,
    matchingCount: matching,
    page,
    pages,
    vms: list.shown(vms).map(vmState),
  };
  return { type: "application/json; charset=utf-8", body: `${JSON.stringify(state)}\n` };
}

function targetState({ name, url, record, backlog, oldestAgeMs, losses }: TargetView, nowMs: number): object {
  return {
    name: text(name),
    url: text(url),
    state: record.state,
    stateSeconds: seconds(nowMs - record.sinceMs),
    lastSuccess: record.lastSuccessMs === undefined ? null : time(record.lastSuccessMs),
    queuedLines: backlog.lines,
    queuedBytes: backlog.bytes,
    oldestQueuedSeconds: oldestAgeMs === undefined ? null : seconds(oldestAgeMs),
    storedLines: record.deliveredLines,
    rejectedLines: record.rejectedLines,
    droppedLines: Object.values(losses).reduce((sum, lines) => sum + lines, 0),
    error: text(record.detail),
  };
}

function daemonState(daemon: EndpointView, monotonicMs: number): object {
  const { endpoint, state, sinceMs, samples, error } = daemon;
  const errors = [...unansweredDomains(daemon), ...(error === undefined ? [] : [errorText(error)])];
  return {
    socket: text(endpoint),
    state,
    stateSeconds: seconds(monotonicMs - sinceMs),
    vms: samples.length,
    error: errors.length === 0 ? null : text(errors.join("; ")),
  };
}

function vmState({ label, sample, stuck, load, details }: ShownVm): object {
  const { identity, state, cpu, memory } = sample;
  const latencyUs = details?.latencyUs?.value;
  return {
    name: text(label),
    uuid: text(identity.uuid),
    state: stateName(state),
    stuck,
    reason: text(details?.reason?.value),
    vcpus: known(cpu.count),
    memoryBytes: ofKib(memory.current),
    residentBytes: ofKib(memory.rss),
    memoryUsedPercent: known(details?.usedPercent?.value),
    stealPercent: known(details?.stealPercent?.value),
    diskLatencySeconds: known(latencyUs && latencyUs / 1e6),
    ...loadState(load),
  };
}

function loadState(load: DomainLoad | undefined): object {
  return {
    cpuPercent: known(load?.cpuPercent),
    diskReadBytesPerSecond: known(load?.diskReadBytes),
    diskWriteBytesPerSecond: known(load?.diskWriteBytes),
    diskReadsPerSecond: known(load?.diskReads),
    diskWritesPerSecond: known(load?.diskWrites),
    netReceivedBytesPerSecond: known(load?.netReceivedBytes),
    netSentBytesPerSecond: known(load?.netSentBytes),
  };
}

/** Returns null for a value that is not known: JSON.stringify would leave the field out. */
function known(value: number | undefined): number | null {
  return value ?? null;
}

function text(value: string | undefined): string | null {
  return value === undefined ? null : foreignText(value, MAX_TEXT);
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}

function seconds(ms: number): number {
  return Math.max(0, Math.round(ms / 1000));
}

function ofKib(value: bigint | undefined): number | null {
  return value === undefined ? null : Number(value) * 1024;
}
