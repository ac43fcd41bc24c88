import type { DomainRef } from "../libvirt/types.ts";
import type { VmiFacts } from "./vmi-facts.ts";
import { splitDomainName, type ObjectName } from "./domain-name.ts";
import type { VmiMigration } from "./vmi.ts";

/** The facts of a VMI, with the launcher that runs it here. */
export interface VmFacts extends VmiFacts {
  readonly uid: string;
  /** UID of the launcher's pod. */
  readonly pod: string;
}

/** The VM that a domain belongs to, as the lines name it. */
export interface NamedDomain extends ObjectName {
  /** The UUID in the VMI; undefined if the VMI has none or there is no cluster. */
  readonly uuid?: string;
  /** When the VMI began to run, in seconds since the epoch. */
  readonly startedS?: number;
  /** Volume of the VMI -> its PersistentVolumeClaim. */
  readonly claims?: Readonly<Record<string, string>>;
  /** Present if the VMI is kept with them. */
  readonly facts?: VmFacts;
  /** What this node reports about the live migration that runs, or about the last one. */
  readonly migration?: NodeMigration;
  /** Labels of the VMI. */
  readonly labels: Readonly<Record<string, string>>;
  /** Tags from the labels and annotations that the configuration names. */
  readonly tags: readonly (readonly [key: string, value: string])[];
}

/** A live migration from or to a node. The source reports the start and a failure, the target the success. */
export interface NodeMigration {
  readonly uid: string;
  /** Whether it runs, from this node to another. */
  readonly isLeaving: boolean;
  /** Times are in milliseconds since the epoch. */
  readonly steps: readonly { readonly detail: "started" | "succeeded" | "failed"; readonly atMs: number }[];
}

/** Returns what a node reports about a migration; undefined if it is neither source nor target. */
export function migrationOn(node: string, migration: VmiMigration): NodeMigration | undefined {
  const { uid, sourceNode, targetNode, startedMs, endedMs, failed } = migration;
  const isLeaving = sourceNode === node && endedMs === undefined;
  const started = { detail: "started", atMs: startedMs } as const;
  // Kubernetes has whole seconds, and two lines of a series with the same time would be one.
  const atMs = Math.max(endedMs ?? 0, startedMs + 1);
  const ended = endedMs === undefined ? [] : [{ detail: failed ? "failed" : "succeeded", atMs } as const];
  if (sourceNode === node) return { uid, isLeaving, steps: failed ? [started, ...ended] : [started] };
  return targetNode === node ? { uid, isLeaving, steps: failed ? [] : ended } : undefined;
}

/**
 * Returns the VM according to the domain's own name. A launcher can choose any name, even that of another VM, so this is
 * only for standalone use, where every launcher is trusted. In a cluster `VmiInventory` identifies the domains.
 */
export function claimedName({ name: domain }: DomainRef): NamedDomain {
  return { ...(splitDomainName(domain) ?? { namespace: "", name: domain }), labels: {}, tags: [] };
}
