import type { Path } from "./check.ts";

/**
 * A rule over more than one field, in CEL for the CRD and in TypeScript for files. `self` in the CEL text is the argument
 * of `holds`. A rule holds if its fields are malformed, because malformed fields are reported separately.
 */
export interface Rule<Subject> {
  /** The field that a finding names, relative to the subject. */
  readonly path: Path;
  readonly message: string;
  readonly cel: string;
  readonly holds: (subject: Subject) => boolean;
  /** In files the schema check reports it, with a more exact path. */
  readonly bySchema?: boolean;
}
