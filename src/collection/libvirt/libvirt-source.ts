import { RECEIVED_BYTES } from "../../budget.ts";
import { DeviceCache } from "../../discovery/device-cache.ts";
import type { BudgetError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { SharedLimits } from "../../libvirt/peer.ts";
import { DOMAIN_FILTER, STATS_GROUP } from "../../libvirt/protocol.ts";
import type { DomainRef, TypedParameters } from "../../libvirt/types.ts";
import { BudgetChecks } from "./budget-checks.ts";
import { BulkStats, cycleTimeout, type BulkReply } from "./bulk-stats.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { ConnectionLimit } from "./connection-limit.ts";
import { CpuStatsProbe } from "./cpu-stats-probe.ts";
import { CycleErrors, tooManyStuck } from "./cycle-errors.ts";
import { CycleReports } from "./cycle-reports.ts";
import { DaemonSession } from "./daemon-session.ts";
import { readBasicInfo, isGone, type BasicInfo } from "./basic-info.ts";
import { DomainHistory } from "./domain-history.ts";
import type { DomainSample } from "../domain-sample.ts";
import type { Source, SourceCycle, SourceSettings, SourceStats, UnansweredDomains } from "../source.ts";
import type { Endpoint } from "./endpoint.ts";
import { LAST_CALL_MS, progressCheckMs } from "./time-limits.ts";
import {
  cpuSample,
  deviceSamples,
  domainState,
  hasCpuTimes,
  memorySample,
  type DeviceSamples,
  type DomainReport,
} from "./sample-mapping.ts";
import { DEVICES, type StatsReader } from "../stats-needs.ts";
import { readAll, readersOf, statsGroups } from "./stats-readers.ts";
import { QemuResponses, STARTING_MS } from "./qemu-responses.ts";

interface CycleContext {
  readonly reports: CycleReports;
  readonly report: (error: unknown, tolerate?: boolean) => void;
  readonly leftMs: () => number;
}

interface ReadingContext extends Omit<CycleContext, "reports"> {
  readonly domain: DomainRef;
  readonly params: TypedParameters | undefined;
}

