import type { AgentView, TargetView } from "./agent-view.ts";
import type { Metric, MetricGroup, Reading } from "./metric.ts";
import type { RejectedStats } from "../delivery/rejected-lines.ts";
import type { DiskStats } from "../spool/disk-monitor.ts";

const TARGET_STATES: readonly TargetView["record"]["state"][] = ["Idle", "Delivering", "Failing"];

function perTarget(value: (target: TargetView) => number | undefined): Metric<AgentView>["read"] {
  return ({ targets }) =>
    targets.flatMap((target): readonly Reading[] => {
      const read = value(target);
      return read === undefined ? [] : [[read, target.name]];
    });
}

type Kind = "counter" | "gauge";

function ofTarget(
  type: Kind,
  name: string,
  help: string,
  value: (target: TargetView) => number | undefined,
): Metric<AgentView> {
  return { name: `kubevirt_telemetry_target_${name}`, type, help, labels: ["target"], read: perTarget(value) };
}

function ofSpool(type: Kind, name: string, help: string, read: Metric<AgentView>["read"]): Metric<AgentView> {
  return { name: `kubevirt_telemetry_spool_${name}`, type, help, read };
}

function ofRejected(
  type: Kind,
  name: string,
  help: string,
  value: (stats: RejectedStats) => number,
): Metric<AgentView> {
  return {
    name: `kubevirt_telemetry_rejected_${name}`,
    type,
    help,
    read: ({ rejected }) => rejected && value(rejected),
  };
}

function ofDisk(
  type: Kind,
  name: string,
  help: string,
  value: (disk: DiskStats) => number | undefined,
): Metric<AgentView> {
  return ofSpool(type, name, help, ({ spool: { disk } }) => disk && value(disk));
}

export const TARGET_METRICS: MetricGroup<AgentView> = {
  title: "Targets",
  metrics: [
    {
      name: "kubevirt_telemetry_target_state",
      type: "gauge",
      help: "1 for the current state of the target, 0 for the others; Idle: nothing has been sent yet",
      labels: ["target", "state"],
      read: ({ targets }) =>
        targets.flatMap(({ name, record }) =>
          TARGET_STATES.map((state): Reading => [record.state === state ? 1 : 0, name, state]),
        ),
    },
    ofTarget("gauge", "queue_lines", "Lines queued", ({ backlog }) => backlog.lines),
    ofTarget("gauge", "queue_bytes", "Compressed size of the queued lines", ({ backlog }) => backlog.bytes),
    ofTarget(
      "gauge",
      "oldest_unsent_age_seconds",
      "Age of the oldest queued line; 0 when the queue is empty",
      (target) => (target.oldestAgeMs ?? 0) / 1000,
    ),
    ofTarget("gauge", "last_success_timestamp_seconds", "Unix time of the last delivery", ({ record }) =>
      record.lastSuccessMs === undefined ? undefined : record.lastSuccessMs / 1000,
    ),
    ofTarget(
      "gauge",
      "consecutive_failures",
      "Failed requests since the target last stored or rejected lines",
      ({ record }) => record.consecutiveFailures,
    ),
    ofTarget("counter", "requests_total", "Requests sent", ({ record }) => record.requests),
    ofTarget("counter", "sent_bytes_total", "Compressed size of all request bodies", ({ record }) => record.sentBytes),
    ofTarget("counter", "sent_lines_total", "Lines that the target stored", ({ record }) => record.deliveredLines),
    ofTarget(
      "counter",
      "rejected_lines_total",
      "Lines that the target rejected; they are not sent again",
      ({ record }) => record.rejectedLines,
    ),
    {
      name: "kubevirt_telemetry_target_dropped_lines_total",
      type: "counter",
      help: "Lines dropped before delivery by reason: the buffer's size (cap) or age limit, a disk that failed or lost its files (disk), or corruption",
      labels: ["target", "reason"],
      read: ({ targets }) =>
        targets.flatMap(({ name, losses }) =>
          Object.entries(losses).map(([reason, lines]): Reading => [lines, name, reason]),
        ),
    },
    ofRejected(
      "counter",
      "kept_lines_total",
      "Rejected lines that were written to the files of rejected lines",
      ({ keptLines }) => keptLines,
    ),
    ofRejected(
      "counter",
      "lost_lines_total",
      "Rejected lines that are in no file, because the disk failed or was too slow",
      ({ lostLines }) => lostLines,
    ),
    ofRejected("gauge", "file_bytes", "Size of the files of rejected lines", ({ fileBytes }) => fileBytes),
  ],
};

export const SPOOL_METRICS: MetricGroup<AgentView> = {
  title: "Spool",
  metrics: [
    ofSpool("gauge", "bytes", "Compressed size of the spool", ({ spool }) => spool.bytes),
    ofSpool("gauge", "cap_bytes", "Maximum size of the spool", ({ config: { active } }) => active?.buffer.maxBytes),
    ofSpool("gauge", "frames", "Frames in the spool: compressed blocks of lines", ({ spool }) => spool.frames),
    ofDisk("gauge", "segments", "Segment files in the spool directory", ({ segments }) => segments),
    ofDisk("gauge", "free_bytes", "Free space of the spool's file system", ({ freeBytes }) => freeBytes),
    ofDisk(
      "gauge",
      "unsaved_lines",
      "Lines in memory only, because they could not be written to disk",
      (disk) => disk.unsavedLines,
    ),
    ofDisk(
      "gauge",
      "unclaimed_lines",
      "Lines kept for targets that are not configured now",
      (disk) => disk.orphanedLines,
    ),
    ofDisk(
      "gauge",
      "foreign_files",
      "Files left unchanged: of a newer version, or not readable",
      (disk) => disk.unsupportedFiles,
    ),
    ofDisk("counter", "syncs_total", "Times that lines were synced to disk", ({ syncs }) => syncs),
    ofDisk("counter", "sync_seconds_total", "Total time of these syncs", ({ syncMs }) => syncMs / 1000),
    ofDisk("counter", "corrupt_frames_total", "Damaged frames that were skipped", (disk) => disk.corruptFrames),
    ofDisk(
      "counter",
      "truncated_bytes_total",
      "Bytes of incomplete writes, cut off at the start",
      (disk) => disk.truncatedBytes,
    ),
    {
      name: "kubevirt_telemetry_spool_write_errors_total",
      type: "counter",
      help: "Failed writes by system error code, such as ENOSPC",
      labels: ["code"],
      read: ({ spool: { disk } }) =>
        Object.entries(disk?.writeErrors ?? {}).map(([code, count]): Reading => [count, code]),
    },
  ],
};
