import type { Cluster, User } from "@kubernetes/client-node/dist/config_types.js";
// Modules of the official client by themselves: its KubeConfig class pulls in 1.3 MB of clients, see docs/adr/0009.
import { ExecAuth } from "@kubernetes/client-node/dist/exec_auth.js";
import { FileAuth } from "@kubernetes/client-node/dist/file_auth.js";
import type { RequestOptions } from "node:https";
import { isDeepStrictEqual } from "node:util";
import { readFile } from "node:fs/promises";
import { messageOf } from "../errors.ts";
import { KubeError } from "./kube-error.ts";

/** What a TLS connection to the API server needs. */
interface TlsSettings {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | string | undefined;
  readonly key: Buffer | string | undefined;
  readonly servername: string | undefined;
  readonly rejectUnauthorized: boolean;
}

/** Where the API server is and how to be let in. */
export interface Access {
  readonly server: URL;
  /** The namespace of the pod or of the kubeconfig's context. */
  readonly namespace: string | undefined;
  readonly tls: TlsSettings;
  /**
   * The headers that authenticate a request. A token file is read again when its content is a minute old.
   * @throws {KubeError} E_KUBE_CONFIG
   */
  headers(): Promise<Readonly<Record<string, string>>>;
}

/**
 * Reads everything anew, so that a rotated token, certificate or authority is used from then on.
 * @throws {KubeError} E_KUBE_CONFIG
 */
export type ReadAccess = () => Promise<Access>;

/** Who a kubeconfig or the pod says that we are. */
export interface Identity {
  readonly cluster: Cluster;
  readonly user: User;
  readonly namespace: string | undefined;
}

/** @throws {KubeError} E_KUBE_CONFIG */
export async function createAccess({ cluster, user, namespace }: Identity): Promise<Access> {
  const server = serverUrl(cluster);
  const authenticator = authenticatorOf(user);
  const authenticate = async (): Promise<RequestOptions> => {
    const options: RequestOptions = { headers: {} };
    try {
      await authenticator?.applyAuthentication(user, options);
    } catch (error) {
      // The output of a plugin may be a credential, and so may what a parser quotes of it.
      const why = error instanceof SyntaxError ? "it printed no JSON" : messageOf(error).trim();
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

/** Whether a connection made with one of them serves the other as well. */
export function canShareConnection(one: Access, other: Access): boolean {
  return one.server.href === other.server.href && isDeepStrictEqual(one.tls, other.tls);
}

function serverUrl({ server, proxyUrl }: Cluster): URL {
  if (!URL.canParse(server)) throw new KubeError("E_KUBE_CONFIG", `\`${server}\` is not the address of an API server`);
  const url = new URL(server);
  if (url.protocol !== "https:") throw new KubeError("E_KUBE_CONFIG", `${server} is not encrypted: it must be https`);
  if (proxyUrl)
    throw new KubeError("E_KUBE_CONFIG", `${server} is to be reached through a proxy, which is not supported`);
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
  // A token in a file may end with a newline, which no header takes.
  const authorization = (token ? `Bearer ${token}` : (given ?? basic))?.trim();
  return {
    ...(authorization !== undefined && { authorization }),
    ...(impersonateUser && { "impersonate-user": impersonateUser }),
  };
}
