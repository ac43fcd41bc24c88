/** A rejected line that a server names. */
export interface NamedLine {
  /** Its number in the request, from 1 on. Blank lines and comments have none. */
  readonly number?: number;
  /** Its whole text. Undefined if the server shows none, or only a part. */
  readonly text?: string;
  readonly reason: string;
}

/** Why delivery to a target fails. These are condition reasons of NodeTelemetry. */
export type FailureReason =
  "TargetUnreachable" | "TargetUnauthorized" | "TargetNotFound" | "TargetRejecting" | "SecretNotFound";

/** What became of the lines of one request. */
export type Outcome =
  | { readonly kind: "delivered" }
  /** The target stored the other lines and rejected these for good. */
  | {
      readonly kind: "partial";
      readonly rejectedLines: number;
      readonly detail: string;
      /** The rejected lines that the server names, perhaps fewer than it rejected. */
      readonly named: readonly NamedLine[];
      /** The server is at a limit. It would call a smaller request with only these lines misconfigured, so no search finds them. */
      readonly isAtLimit?: true;
    }
  | NotDelivered
  /** The request is larger than the target accepts. */
  | { readonly kind: "tooLarge"; readonly detail: string }
  | Rejected;

/** At least one line is bad. The target stored nothing, or it is unknown what it stored. */
export interface Rejected {
  readonly kind: "rejected";
  readonly detail: string;
  /** The server counts or lists every line of the request as bad. It may count good lines too. */
  readonly everyLine?: true;
  /** Bad lines that the server names. There may be more. */
  readonly named?: readonly NamedLine[];
}

/** The target stored nothing, and the lines are sent again later. */
export interface NotDelivered {
  /** `retry`: the same request may succeed later. `misconfigured`: an operator has to change something first. */
  readonly kind: "retry" | "misconfigured";
  readonly reason: FailureReason;
  readonly detail: string;
  /** Shortest delay before the next request, in milliseconds, if the target sets one. */
  readonly afterMs?: number;
  /** The cause may be these lines instead of the server or a setting. */
  readonly maybePoison?: true;
  /** The target closed the connection instead of an answer. */
  readonly isClosed?: true;
}

export function isNotDelivered(outcome: Outcome): outcome is NotDelivered {
  return outcome.kind === "retry" || outcome.kind === "misconfigured";
}
