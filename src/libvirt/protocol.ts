/**
 * Numbers of libvirt's remote protocol that a read-only client needs. Sources: remote_protocol.x, virnetprotocol.x and
 * libvirt-domain.h. Libvirt adds numbers and never changes one.
 */

export const PROGRAM = { REMOTE: 0x20008086, KEEPALIVE: 0x6b656570 } as const;
export const PROGRAM_VERSION = 1;

export const MESSAGE_TYPE = { CALL: 0, REPLY: 1, MESSAGE: 2 } as const;
export const STATUS = { OK: 0, ERROR: 1, CONTINUE: 2 } as const;
export const KEEPALIVE = { PING: 1, PONG: 2 } as const;

/** The allow-list: the client cannot call any other procedure. None of these changes anything. */
export const PROCEDURE = {
  CONNECT_OPEN: 1,
  CONNECT_CLOSE: 2,
  CONNECT_GET_VERSION: 4,
  DOMAIN_GET_XML_DESC: 14,
  DOMAIN_GET_INFO: 16,
  DOMAIN_GET_VCPUS: 20,
  CONNECT_SUPPORTS_FEATURE: 60,
  AUTH_LIST: 66,
  AUTH_POLKIT: 70,
  CONNECT_GET_LIB_VERSION: 157,
  DOMAIN_GET_CONTROL_INFO: 229,
  DOMAIN_GET_CPU_STATS: 262,
  CONNECT_LIST_ALL_DOMAINS: 273,
  DOMAIN_GET_JOB_STATS: 298,
  CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY: 316,
  CONNECT_GET_ALL_DOMAIN_STATS: 344,
} as const;

export type ProcedureName = keyof typeof PROCEDURE;

/** Events of domains -> virDomainEventID, and the number of the message that the daemon sends without a call. */
export const DOMAIN_EVENT = {
  LIFECYCLE: { id: 0, procedure: 318 },
  REBOOT: { id: 1, procedure: 319 },
  WATCHDOG: { id: 3, procedure: 321 },
  IO_ERROR_REASON: { id: 6, procedure: 324 },
  BALLOON_CHANGE: { id: 13, procedure: 331 },
  DEVICE_REMOVED: { id: 15, procedure: 333 },
  BLOCK_JOB_2: { id: 16, procedure: 339 },
  AGENT_LIFECYCLE: { id: 18, procedure: 348 },
  DEVICE_ADDED: { id: 19, procedure: 354 },
  MIGRATION_ITERATION: { id: 20, procedure: 359 },
  JOB_COMPLETED: { id: 21, procedure: 363 },
  BLOCK_THRESHOLD: { id: 24, procedure: 385 },
  MEMORY_FAILURE: { id: 25, procedure: 423 },
} as const;

export type DomainEventName = keyof typeof DOMAIN_EVENT;

export const AUTH = { NONE: 0, SASL: 1, POLKIT: 2 } as const;
/** VIR_CONNECT_RO: the daemon rejects every call that changes something. */
export const CONNECT_READ_ONLY = 1;
/** VIR_DRV_FEATURE_PROGRAM_KEEPALIVE. The query tells the daemon that this client answers pings. */
export const FEATURE_KEEPALIVE = 10;

/** virDomainStatsTypes. */
export const STATS_GROUP = {
  STATE: 1,
  CPU_TOTAL: 2,
  BALLOON: 4,
  VCPU: 8,
  INTERFACE: 16,
  BLOCK: 32,
  PERF: 64,
  IOTHREAD: 128,
  MEMORY: 256,
  DIRTYRATE: 512,
  VM: 1024,
} as const;

/** virConnectListAllDomainsFlags, and NOWAIT of virConnectGetAllDomainStatsFlags. */
export const DOMAIN_FILTER = {
  ACTIVE: 1,
  INACTIVE: 2,
  /** Do not wait for a domain whose monitor is in use: its block and balloon values are then missing. */
  NOWAIT: 2 ** 29,
} as const;

/** virDomainState. */
export const DOMAIN_STATE = {
  NO_STATE: 0,
  RUNNING: 1,
  BLOCKED: 2,
  PAUSED: 3,
  SHUTDOWN: 4,
  SHUT_OFF: 5,
  CRASHED: 6,
  PM_SUSPENDED: 7,
} as const;

/** virVcpuState. */
export const VCPU_STATE = { OFFLINE: 0, RUNNING: 1, BLOCKED: 2 } as const;

/** virDomainControlState. JOB: a long job runs, such as a migration. OCCUPIED: a monitor command is outstanding. */
export const CONTROL_STATE = { OK: 0, JOB: 1, OCCUPIED: 2, ERROR: 3 } as const;
/** virDomainControlErrorReason, the details of ERROR. INTERNAL: a job that is not waiting for QEMU at the moment. */
export const CONTROL_ERROR = { MONITOR: 2, INTERNAL: 3 } as const;

/** virDomainJobType. The last three are jobs that have ended. */
export const JOB_TYPE = { NONE: 0, BOUNDED: 1, UNBOUNDED: 2, COMPLETED: 3, FAILED: 4, CANCELLED: 5 } as const;
/** virDomainGetJobStatsFlags: the last job that has ended, and libvirt keeps its statistics for others. */
export const COMPLETED_JOB = 1 | 2;

/** virErrorNumber, the values that this client distinguishes. */
export const REMOTE_ERROR = { INTERNAL: 1, OPERATION_DENIED: 29, NO_DOMAIN: 42, OPERATION_INVALID: 55 } as const;

/** virTypedParameterType. */
export const PARAMETER_TYPE = { INT: 1, UINT: 2, LLONG: 3, ULLONG: 4, DOUBLE: 5, BOOLEAN: 6, STRING: 7 } as const;

/** Bounds of the protocol. A peer that exceeds one violates it. */
export const LIMIT = {
  /** Length word and header. */
  PACKET_MIN: 28,
  PACKET_MAX: 32 * 1024 * 1024 + 4,
  STRING: 4 * 1024 * 1024,
  DOMAINS: 16_384,
  PARAMETERS: 262_144,
  FIELD_NAME: 80,
  /** A name or a reason in an event. Libvirt has no limit of its own. */
  EVENT_TEXT: 4_096,
  /** Parameters of a job; libvirt allows 64 today. */
  JOB_PARAMETERS: 256,
  AUTH_TYPES: 20,
  /** Requested maximum; guests have fewer. */
  VCPUS: 4_096,
  /** sun_path without its terminating zero. */
  SOCKET_PATH: 107,
} as const;

export const UUID_BYTES = 16;
