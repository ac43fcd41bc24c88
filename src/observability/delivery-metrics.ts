import type { AgentView, TargetView } from "./agent-view.ts";
import type { Metric, MetricGroup, Reading } from "./metric.ts";
import type { RejectedStats } from "../delivery/rejected-lines.ts";
import type { DiskStats } from "../spool/disk-record.ts";

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
      help: "1 for the state that the target is in, 0 for the others; Idle: nothing has been sent yet",
      labels: ["target", "state"],
      read: ({ targets }) =>
        targets.flatMap(({ name, record }) =>
          TARGET_STATES.map((state): Reading => [record.state === state ? 1 : 0, name, state]),
        ),
    },
    ofTarget("gauge", "queue_lines", "Lines that wait", ({ backlog }) => backlog.lines),
    ofTarget("gauge", "queue_bytes", "Lines that wait, compressed", ({ backlog }) => backlog.bytes),
    ofTarget(
      "gauge",
      "oldest_unsent_age_seconds",
      "Age of the oldest line that waits; 0 when none does",
      (target) => (target.oldestAgeMs ?? 0) / 1000,
    ),
    ofTarget("gauge", "last_success_timestamp_seconds", "When the target last took lines", ({ record }) =>
      record.lastSuccessMs === undefined ? undefined : record.lastSuccessMs / 1000,
    ),
    ofTarget(
      "gauge",
      "consecutive_failures",
      "Requests that failed since the last useful answer",
      ({ record }) => record.consecutiveFailures,
    ),
    ofTarget("counter", "requests_total", "Requests made", ({ record }) => record.requests),
    ofTarget("counter", "sent_bytes_total", "Bodies of requests, compressed", ({ record }) => record.sentBytes),
    ofTarget("counter", "sent_lines_total", "Lines that the target took", ({ record }) => record.deliveredLines),
    ofTarget(
      "counter",
      "rejected_lines_total",
      "Lines that the target refused for good",
      ({ record }) => record.rejectedLines,
    ),
    {
      name: "kubevirt_telemetry_target_dropped_lines_total",
      type: "counter",
      help: "Lines lost before the target took them: to the buffer's cap or age, to a disk that failed, or corrupt on the disk",
      labels: ["target", "reason"],
      read: ({ targets }) =>
        targets.flatMap(({ name, losses }) =>
          Object.entries(losses).map(([reason, lines]): Reading => [lines, name, reason]),
        ),
    },
    ofRejected(
      "counter",
      "kept_lines_total",
      "Lines that targets refused and that were written to the files of refused lines",
      ({ keptLines }) => keptLines,
    ),
    ofRejected(
      "counter",
      "lost_lines_total",
      "Lines that targets refused and that are in no file: the disk did not take them, or too slowly",
      ({ lostLines }) => lostLines,
    ),
    ofRejected("gauge", "file_bytes", "Size of the files of refused lines", ({ fileBytes }) => fileBytes),
  ],
};

export const SPOOL_METRICS: MetricGroup<AgentView> = {
  title: "Spool",
  metrics: [
    ofSpool("gauge", "bytes", "What is kept, compressed", ({ spool }) => spool.bytes),
    ofSpool("gauge", "cap_bytes", "What may be kept at most", ({ config: { inForce } }) => inForce?.buffer.maxBytes),
    ofSpool("gauge", "frames", "Compressed blocks of lines that are kept", ({ spool }) => spool.frames),
    ofDisk("gauge", "segments", "Files in the spool directory", ({ segments }) => segments),
    ofDisk("gauge", "free_bytes", "Free space of the file system", ({ freeBytes }) => freeBytes),
    ofDisk(
      "gauge",
      "unsaved_lines",
      "Lines in memory only, because the disk does not take them",
      (disk) => disk.unsavedLines,
    ),
    ofDisk("gauge", "unclaimed_lines", "Lines kept for targets that are not configured", (disk) => disk.unclaimedLines),
    ofDisk(
      "gauge",
      "foreign_files",
      "Files of a newer version, and files that cannot be opened",
      (disk) => disk.filesLeftAlone,
    ),
    ofDisk("counter", "syncs_total", "How often lines were made durable", ({ syncs }) => syncs),
    ofDisk("counter", "sync_seconds_total", "How long that took altogether", ({ syncMs }) => syncMs / 1000),
    ofDisk("counter", "corrupt_frames_total", "Damaged blocks that were passed over", (disk) => disk.corruptFrames),
    ofDisk(
      "counter",
      "truncated_bytes_total",
      "What broken-off writes left, cut off at the start",
      (disk) => disk.truncatedBytes,
    ),
    {
      name: "kubevirt_telemetry_spool_write_errors_total",
      type: "counter",
      help: "Writes that failed, by the system's code, such as ENOSPC",
      labels: ["code"],
      read: ({ spool: { disk } }) =>
        Object.entries(disk?.writeErrors ?? {}).map(([code, count]): Reading => [count, code]),
    },
  ],
};
