/** Every reason in a NodeTelemetry, and what it means to whoever reads it. */
export const NODE_REASONS = {
  AsExpected: "All is well.",
  NoConfig: "No Active TelemetryConfig selects the node. The agent idles.",
  InvalidConfig:
    "The TelemetryConfig that governs the node cannot be read by this agent's version; the last good configuration stays in force. The message has every fault.",
  SecretNotFound:
    "A Secret, a ConfigMap or a key in one is not there, or the agent's Role does not name it. The last good configuration stays in force.",
  SocketDenied: "The agent may not open a libvirt socket: its user, its capabilities or SELinux.",
  EndpointTimeout: "A libvirt daemon does not answer in time. Its domains are missing; others are not held up.",
  NoDomains: "No virtual machine runs on the node.",
  TargetUnauthorized:
    "The target refuses the token or the password. They are read again, so a new one is used without a restart.",
  TargetNotFound: "The target has no such database, bucket or organization, or the URL is not that of its API.",
  TargetUnreachable: "The target cannot be connected to, does not answer, or is overloaded. Lines wait in the buffer.",
  TargetRejecting:
    "The target refuses every line, is at a limit of its own, or answers as no InfluxDB does. Lines wait in the buffer.",
  BufferFull: "Lines were lost to the buffer's size or age.",
  DiskFull: "The buffer's volume has no room.",
} as const;

export type NodeReason = keyof typeof NODE_REASONS;
