/** Words of libvirt-domain.h for the reasons of each virDomainState, by number. */
export const REASONS: readonly (readonly string[])[] = [
  ["unknown"],
  [
    ...["unknown", "booted", "migrated", "restored", "from-snapshot", "unpaused", "migration-canceled"],
    ...["save-canceled", "wakeup", "crashed", "post-copy", "post-copy-failed"],
  ],
  ["unknown"],
  [
    ...["unknown", "user", "migration", "save", "dump", "io-error", "watchdog", "from-snapshot", "shutting-down"],
    ...["snapshot", "crashed", "starting-up", "post-copy", "post-copy-failed", "api-error"],
  ],
  ["unknown", "user"],
  ["unknown", "shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from-snapshot", "daemon"],
  ["unknown", "panicked"],
  ["unknown"],
];

/** Returns libvirt's word for the reason of a state. */
export function reasonName(state: number, reason: number): string {
  return REASONS[state]?.[reason] ?? "unknown";
}
