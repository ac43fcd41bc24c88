import type { DomainEvent } from "../../libvirt/types.ts";

/** With a daemon that does not answer for hours the overlap is long. Then an event may be passed on twice. */
const MAX_EVENTS = 1_000;

/** Finds the events that two connections to a daemon both have, while one replaces the other. */
export class EventOverlap {
  /** Event -> how many times the old connection has had it that the new one has not; negative if the new one is ahead. */
  readonly #lead = new Map<string, number>();

  /** Returns whether the other connection has not had this event. `isNew`: it is from the new connection. */
  isFirst(event: DomainEvent, isNew: boolean): boolean {
    const key = keyOf(event);
    const lead = this.#lead.get(key) ?? 0;
    if (this.#lead.size >= MAX_EVENTS) this.clear();
    this.#lead.set(key, lead + (isNew ? -1 : 1));
    return isNew ? lead <= 0 : lead >= 0;
  }

  clear(): void {
    this.#lead.clear();
  }
}

/** Returns a text that differs for different events, without what a daemon can make large. */
function keyOf({ name, domain: { uuid, id }, device, reason, numbers }: DomainEvent): string {
  return JSON.stringify([name, uuid, id, device, reason, numbers]);
}
