import type { EffectiveTarget } from "../../config/resolve.ts";
import type { TargetHeader } from "../../config/target-access.ts";

type Written = Pick<EffectiveTarget, "protocol" | "url">;
type Authorized = Pick<EffectiveTarget, "protocol" | "credentials">;
type WithHeaders = Pick<EffectiveTarget, "headers">;

/** Returns path and query of a write request, after the base path of the target's URL. Timestamps are nanoseconds. */
export function writePath({ protocol, url }: Written): string {
  const base = new URL(url).pathname.replace(/\/+$/, "");
  switch (protocol.version) {
    case "v1":
      return `${base}/write?${query({ db: protocol.database, rp: protocol.retentionPolicy, precision: "ns" })}`;
    case "v2":
      return `${base}/api/v2/write?${query({ org: protocol.org, bucket: protocol.bucket, precision: "ns" })}`;
    case "v3":
      return protocol.api === "V2Compatible"
        ? `${base}/api/v2/write?${query({ bucket: protocol.database, precision: "ns" })}`
        : // accept_partial stores the good lines of a batch. With no_sync the server answers before its WAL is on disk.
          `${base}/api/v3/write_lp?${query({ db: protocol.database, precision: "nanosecond", accept_partial: "true", no_sync: "false" })}`;
  }
}

/** Returns the headers of a write request. */
export function writeHeaders(target: Authorized & WithHeaders): Readonly<Record<string, string>> {
  const credentials = authorization(target);
  return {
    "content-type": "text/plain; charset=utf-8",
    "accept-encoding": "identity",
    accept: "application/json",
    "user-agent": "kubevirt-telemetry",
    ...(credentials !== undefined && { authorization: credentials }),
    // The rules of the configuration allow none of the names above, but the User-Agent.
    ...Object.fromEntries(
      target.headers.map(({ name, value }) => [name.toLowerCase(), typeof value === "string" ? value : value.reveal()]),
    ),
  };
}

/** Returns the value of the Authorization header, or undefined without credentials. */
export function authorization({ protocol, credentials }: Authorized): string | undefined {
  switch (credentials.kind) {
    case "none":
    case "missing":
      return undefined;
    case "token":
      return `${protocol.version === "v3" && protocol.api === "Native" ? "Bearer" : "Token"} ${credentials.token.reveal()}`;
    case "basic":
      return `Basic ${Buffer.from(`${credentials.username}:${credentials.password.reveal()}`).toString("base64")}`;
  }
}

/** Returns every text that would reveal the target's credentials. */
export function secretsOf({
  credentials,
  headers,
}: Pick<EffectiveTarget, "credentials"> & WithHeaders): readonly string[] {
  return [...credentialTexts(credentials), ...headers.flatMap(headerTexts)];
}

function credentialTexts(credentials: EffectiveTarget["credentials"]): readonly string[] {
  switch (credentials.kind) {
    case "none":
    case "missing":
      return [];
    case "token":
      return [credentials.token.reveal()];
    case "basic": {
      const password = credentials.password.reveal();
      return [Buffer.from(`${credentials.username}:${password}`).toString("base64"), password];
    }
  }
}

/** A value that is no secret may be a word that servers use. A secret one may have a scheme before it, such as `Bearer`. */
function headerTexts({ value }: TargetHeader): readonly string[] {
  if (typeof value === "string") return [];
  const text = value.reveal();
  return [text, text.slice(text.indexOf(" ") + 1)];
}

function query(values: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(values)
    .flatMap(([key, value]) => (value === undefined ? [] : `${key}=${encodeURIComponent(value)}`))
    .join("&");
}
