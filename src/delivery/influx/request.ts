import type { TargetSettings } from "../target.ts";

/** The path and query of a write request, behind the base path of the target's URL. Timestamps are nanoseconds. */
export function writePath({ protocol, url }: Pick<TargetSettings, "protocol" | "url">): string {
  const base = new URL(url).pathname.replace(/\/+$/, "");
  switch (protocol.version) {
    case "v1":
      return `${base}/write?${query({ db: protocol.database, rp: protocol.retentionPolicy, precision: "ns" })}`;
    case "v2":
      return `${base}/api/v2/write?${query({ org: protocol.org, bucket: protocol.bucket, precision: "ns" })}`;
    case "v3":
      return protocol.api === "V2Compatible"
        ? `${base}/api/v2/write?${query({ bucket: protocol.database, precision: "ns" })}`
        : // Partial writes store the good lines of a batch; an acknowledgement before the WAL is synced would be none.
          `${base}/api/v3/write_lp?${query({ db: protocol.database, precision: "nanosecond", accept_partial: "true", no_sync: "false" })}`;
  }
}

/** The value of the Authorization header; undefined without credentials. */
export function authorization({
  protocol,
  credentials,
}: Pick<TargetSettings, "protocol" | "credentials">): string | undefined {
  switch (credentials.kind) {
    case "none":
      return undefined;
    case "token":
      return `${protocol.version === "v3" && protocol.api === "Native" ? "Bearer" : "Token"} ${credentials.token.reveal()}`;
    case "basic":
      return `Basic ${Buffer.from(`${credentials.username}:${credentials.password.reveal()}`).toString("base64")}`;
  }
}

function query(values: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(values)
    .flatMap(([key, value]) => (value === undefined ? [] : `${key}=${encodeURIComponent(value)}`))
    .join("&");
}

/** Shorter ones cannot be told from ordinary text. */
const MIN_SECRET = 4;

export function isConcealable({ length }: string): boolean {
  return length >= MIN_SECRET;
}

/** Every text by which the target's credentials could be known. */
export function secretsOf({ credentials }: Pick<TargetSettings, "credentials">): readonly string[] {
  switch (credentials.kind) {
    case "none":
      return [];
    case "token":
      return [credentials.token.reveal()].filter(isConcealable);
    case "basic": {
      const password = credentials.password.reveal();
      const encoded = Buffer.from(`${credentials.username}:${password}`).toString("base64");
      return [encoded, password].filter(isConcealable);
    }
  }
}
