import type { Cluster, User } from "@kubernetes/client-node/dist/config_types.js";
// Single modules of the official client, because its KubeConfig class imports 1.3 MB of clients; see docs/adr/0009.
import { ExecAuth } from "@kubernetes/client-node/dist/exec_auth.js";
import { FileAuth } from "@kubernetes/client-node/dist/file_auth.js";
import type { RequestOptions } from "node:https";
import { isDeepStrictEqual } from "node:util";
import { readFile } from "node:fs/promises";
import { messageOf } from "../errors.ts";
import { KubeError } from "./kube-error.ts";

/** Options of a TLS connection to the API server. */
interface TlsSettings {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | string | undefined;
  readonly key: Buffer | string | undefined;
  readonly servername: string | undefined;
  readonly rejectUnauthorized: boolean;
}

/** The address of the API server and the credentials for it. */
export interface Access {
  readonly server: URL;
  /** The namespace of the pod or of the kubeconfig's context. */
  readonly namespace: string | undefined;
  readonly tls: TlsSettings;
  /**
   * Resolves to the headers that authenticate a request. A token file is read again after a minute.
   * @throws {KubeError} E_KUBE_CONFIG
   */
  headers(): Promise<Readonly<Record<string, string>>>;
}

/**
 * Resolves to the access. Reads all files again, so that the caller gets a rotated token, certificate or authority.
 * @throws {KubeError} E_KUBE_CONFIG
 */
export type ReadAccess = () => Promise<Access>;

/** The cluster and the user of a kubeconfig or of the pod. */
export interface Identity {
  readonly cluster: Cluster;
  readonly user: User;
  readonly namespace: string | undefined;
}

/**
 * Resolves to the access of an identity; reads its files and runs its plugin.
 * @throws {KubeError} E_KUBE_CONFIG
 */
export async function createAccess({ cluster, user, namespace }: Identity): Promise<Access> {
  const server = serverUrl(cluster);
  const authenticator = authenticatorOf(user);
  const authenticate = async (): Promise<RequestOptions> => {
    const options: RequestOptions = { headers: {} };
    try {
      await authenticator?.applyAuthentication(user, options);
    } catch (error) {
      // A plugin prints credentials, and the message of a JSON parser quotes them.
      const why = error instanceof SyntaxError ? "the plugin did not print JSON" : messageOf(error).trim();
      throw new KubeError("E_KUBE_CONFIG", `the credentials of the user \`${user.name}\` cannot be read: ${why}`);
    }
    return options;
  };
  const plugin = await authenticate();
  const tls = {
    ca: await readPem("certificate authority", cluster.caFile, cluster.caData),
    cert: (await readPem("client certificate", user.certFile, user.certData)) ?? textOf(plugin.cert),
    key: (await readPem("client key", user.keyFile, user.keyData)) ?? textOf(plugin.key),
    servername: cluster.tlsServerName,
    rejectUnauthorized: !cluster.skipTLSVerify,
  };
  return { server, namespace, tls, headers: async () => headersOf(user, await authenticate()) };
}

/** Returns whether a connection with one access can serve the other: the address and the TLS options are the same. */
export function canShareConnection(one: Access, other: Access): boolean {
  return one.server.href === other.server.href && isDeepStrictEqual(one.tls, other.tls);
}

function serverUrl({ server, proxyUrl }: Cluster): URL {
  if (!URL.canParse(server)) throw new KubeError("E_KUBE_CONFIG", `\`${server}\` is not the address of an API server`);
  const url = new URL(server);
  if (url.protocol !== "https:") throw new KubeError("E_KUBE_CONFIG", `${server} is not encrypted: it must be https`);
  if (proxyUrl) throw new KubeError("E_KUBE_CONFIG", `${server} has a proxy-url, which is not supported`);
  return url;
}

function authenticatorOf(user: User): ExecAuth | FileAuth | undefined {
  const found = [new ExecAuth(), new FileAuth()].find((authenticator) => authenticator.isAuthProvider(user));
  if (found === undefined && user.authProvider)
    throw new KubeError(
      "E_KUBE_CONFIG",
      `the user \`${user.name}\` has an auth-provider that is not supported; use an exec plugin`,
    );
  return found;
}

async function readPem(what: string, file: string | undefined, data: string | undefined): Promise<Buffer | undefined> {
  if (!file) return data ? Buffer.from(data, "base64") : undefined;
  try {
    return await readFile(file);
  } catch (error) {
    throw new KubeError("E_KUBE_CONFIG", `the ${what} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

function textOf(plugin: RequestOptions["cert" | "key"]): string | undefined {
  return typeof plugin === "string" ? plugin : undefined;
}

function headersOf({ token, username, password, impersonateUser }: User, plugin: RequestOptions) {
  const given = (plugin.headers as Readonly<Record<string, string>> | undefined)?.["Authorization"];
  const basic = username ? `Basic ${Buffer.from(`${username}:${password ?? ""}`).toString("base64")}` : undefined;
  // A token in a file may end with a newline, which a header must not have.
  const authorization = (token ? `Bearer ${token}` : (given ?? basic))?.trim();
  return {
    ...(authorization !== undefined && { authorization }),
    ...(impersonateUser && { "impersonate-user": impersonateUser }),
  };
}
