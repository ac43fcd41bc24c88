/** A secret that shows itself only when asked for. */
export interface Secret {
  reveal(): string;
}

/** Where and how lines are delivered. */
export interface TargetSettings {
  readonly name: string;
  readonly url: string;
  readonly protocol:
    | { readonly version: "v1"; readonly database: string; readonly retentionPolicy?: string }
    | { readonly version: "v2"; readonly org: string; readonly bucket: string }
    | { readonly version: "v3"; readonly database: string; readonly api: "Native" | "V2Compatible" };
  readonly credentials:
    | { readonly kind: "none" }
    | { readonly kind: "token"; readonly token: Secret }
    | { readonly kind: "basic"; readonly username: string; readonly password: Secret };
  readonly tls: {
    readonly mode: "Verify" | "Plaintext" | "Insecure";
    /** PEM. */
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: Secret;
    readonly serverName?: string;
  };
  readonly flush: { readonly intervalMs: number; readonly maxLines: number; readonly maxBytes: number };
  /** For one request in all, in milliseconds. */
  readonly timeoutMs: number;
  /** How fast a backlog is caught up with; 0 for three times the rate at which lines came in. */
  readonly maxDrainLinesPerSecond: number;
}
