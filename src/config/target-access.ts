import { TelemetryError } from "../errors.ts";
import type { TargetSpec } from "./schema.ts";
import { Secret } from "./secret.ts";
import type { SecretSource } from "./secrets-dir.ts";

/** A header of every request. A value from a Secret is a `Secret`. */
export interface TargetHeader {
  readonly name: string;
  readonly value: string | Secret;
}

/** The values of Secrets and ConfigMaps that a target needs. */
export interface TargetAccess {
  readonly credentials:
    | { readonly kind: "none" }
    | { readonly kind: "token"; readonly token: Secret }
    | { readonly kind: "basic"; readonly username: string; readonly password: Secret }
    /** A value cannot be read: nothing is sent, and the lines wait. `fault` says why. */
    | { readonly kind: "missing" };
  readonly tls: {
    readonly mode: "Verify" | "Plaintext" | "Insecure";
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: Secret;
    readonly serverName?: string;
  };
  readonly headers: readonly TargetHeader[];
  /** Why a value cannot be read. Values of an earlier read are used as long as there are any. */
  readonly fault?: AccessFault;
}

interface AccessFault {
  readonly reason: "SecretNotFound" | "TargetUnauthorized";
  readonly code: TelemetryError["code"];
  readonly message: string;
}

/** The codes of an error that is the fault of one target. Any other comes from the source of all Secrets. */
const OF_ONE_TARGET: ReadonlySet<string> = new Set(["E_SECRET_NOT_FOUND", "E_SECRET_INVALID"]);

/** Reads the Secrets and ConfigMaps of targets. A target without its Secret does not affect the others. */
export class TargetAccessReader {
  readonly #secrets: SecretSource;
  /** The last values, by the fields of a target that say which values it needs and where they are sent. */
  readonly #known = new Map<string, TargetAccess>();

  constructor(secrets: SecretSource) {
    this.#secrets = secrets;
  }

  /** Resolves to the access of these targets, in their order. Rejects if the source fails and earlier values are known. */
  async read(targets: readonly TargetSpec[]): Promise<readonly TargetAccess[]> {
    const all = await Promise.all(targets.map(async (target) => [keyOf(target), await this.#read(target)] as const));
    this.#known.clear();
    for (const [key, access] of all) if (access.credentials.kind !== "missing") this.#known.set(key, access);
    return all.map(([, access]) => access);
  }

  async #read(target: TargetSpec): Promise<TargetAccess> {
    const known = this.#known.get(keyOf(target));
    try {
      return {
        credentials: await credentialsOf(target, this.#secrets),
        tls: await tlsOf(target, this.#secrets),
        headers: await headersOf(target, this.#secrets),
      };
    } catch (error) {
      if (!(error instanceof TelemetryError)) throw error;
      const { code, message } = error;
      if (known !== undefined && !OF_ONE_TARGET.has(code)) throw error;
      const reason = code === "E_SECRET_INVALID" ? "TargetUnauthorized" : "SecretNotFound";
      return { ...(known ?? withoutSecrets(target)), fault: { reason, code, message } };
    }
  }
}

function keyOf({ url, v1, v2, v3, tls, headers }: TargetSpec): string {
  return JSON.stringify([url, v1, v2, v3, tls, headers]);
}

/** Returns what is known of a target without its Secrets. Its plain headers stay: they tell where it stores lines. */
function withoutSecrets({ tls, headers }: TargetSpec): TargetAccess {
  return {
    credentials: { kind: "missing" },
    tls: { mode: tls.mode },
    headers: headers.flatMap(({ name, value }) => (value === undefined ? [] : { name, value })),
  };
}

async function credentialsOf({ v1, v2, v3 }: TargetSpec, secrets: SecretSource): Promise<TargetAccess["credentials"]> {
  const basic = v1?.credentialsSecretRef;
  if (basic !== undefined) {
    const username = await readCredential(secrets, { name: basic.name, key: basic.usernameKey });
    const password = await readCredential(secrets, { name: basic.name, key: basic.passwordKey });
    return { kind: "basic", username, password: new Secret(password) };
  }
  const token = v2?.tokenSecretRef ?? v3?.tokenSecretRef;
  if (token === undefined) return { kind: "none" };
  return { kind: "token", token: await readHeaderText(secrets, token, TOKEN) };
}

async function headersOf({ headers }: TargetSpec, secrets: SecretSource): Promise<TargetAccess["headers"]> {
  return Promise.all(
    headers.map(async ({ name, value = "", valueSecretRef: ref }) => ({
      name,
      value: ref === undefined ? value : await readHeaderText(secrets, ref, HEADER_VALUE),
    })),
  );
}

interface KeyRef {
  readonly name: string;
  readonly key: string;
}

/** What a text in a header is called, and the characters that it cannot have. */
interface HeaderText {
  readonly what: string;
  readonly forbidden: RegExp;
}

const TOKEN: HeaderText = { what: "a token", forbidden: /[^!-~]/ };
const HEADER_VALUE: HeaderText = { what: "the value of a header", forbidden: /[^ -~]/ };
/** Servers reject longer headers. */
const MAX_HEADER_TEXT = 8_192;

/** Resolves to a secret that can be in a header. */
async function readHeaderText(secrets: SecretSource, ref: KeyRef, { what, forbidden }: HeaderText): Promise<Secret> {
  const value = await readCredential(secrets, ref);
  const wanted = `the key \`${ref.key}\` of the Secret \`${ref.name}\``;
  // An empty value often comes from an unset variable. The server's answer would not say that it is empty.
  if (value === "") throw new TelemetryError("E_SECRET_NOT_FOUND", `${wanted} is empty`);
  const at = value.search(forbidden);
  const fault =
    at >= 0
      ? `character ${at + 1} of ${value.length} cannot be in a header`
      : value.length > MAX_HEADER_TEXT
        ? `it has ${value.length} characters, more than ${MAX_HEADER_TEXT}`
        : undefined;
  if (fault !== undefined) throw new TelemetryError("E_SECRET_INVALID", `${wanted} is not ${what}: ${fault}`);
  return new Secret(value);
}

/** Resolves to a credential without the byte order mark and the blanks that editors and shells add around it. */
async function readCredential(secrets: SecretSource, { name, key }: KeyRef): Promise<string> {
  return (await secrets.read("Secret", name, key)).trim();
}

async function tlsOf({ tls }: TargetSpec, secrets: SecretSource): Promise<TargetAccess["tls"]> {
  const { mode, caRef, clientCertSecretRef: client, serverName } = tls;
  const { configMap, secret } = caRef ?? {};
  return {
    mode,
    ...(configMap !== undefined && { ca: await secrets.read("ConfigMap", configMap.name, configMap.key) }),
    ...(secret !== undefined && { ca: await secrets.read("Secret", secret.name, secret.key) }),
    ...(client !== undefined && {
      cert: await secrets.read("Secret", client.name, "tls.crt"),
      key: new Secret(await secrets.read("Secret", client.name, "tls.key")),
    }),
    ...(serverName !== undefined && { serverName }),
  };
}
