import {
  newClusters,
  newContexts,
  newUsers,
  type Cluster,
  type User,
} from "@kubernetes/client-node/dist/config_types.js";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { isIPv6 } from "node:net";
import { LineCounter, parseDocument } from "yaml";
import { messageOf } from "../errors.ts";
import { createAccess, type Identity, type ReadAccess } from "./access.ts";
import { KubeError } from "./kube-error.ts";

const SERVICE_ACCOUNT_DIR = "/var/run/secrets/kubernetes.io/serviceaccount";

export interface AccessOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Directory in which the kubelet mounts the service account. */
  readonly serviceAccountDir?: string;
}

/**
 * Returns the access from KUBECONFIG if it is set, because that is an explicit choice; else from the pod's service account,
 * else from ~/.kube/config.
 * @throws {KubeError} E_KUBE_CONFIG if none of them exists
 */
export function findAccess({ env, serviceAccountDir = SERVICE_ACCOUNT_DIR }: AccessOptions): ReadAccess {
  const files = env["KUBECONFIG"]?.split(path.delimiter).filter(Boolean) ?? [];
  if (files.length > 0) return async () => createAccess(await kubeconfigIdentity(files));
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = "443", HOME: home } = env;
  if (host)
    return async () => createAccess(await podIdentity(isIPv6(host) ? `[${host}]` : host, port, serviceAccountDir));
  if (home) return async () => createAccess(await kubeconfigIdentity([path.join(home, ".kube/config")]));
  throw new KubeError(
    "E_KUBE_CONFIG",
    "no Kubernetes API server is configured: this is not a pod, and KUBECONFIG is not set",
  );
}

async function podIdentity(host: string, port: string, directory: string): Promise<Identity> {
  const [tokenFile, caFile] = [path.join(directory, "token"), path.join(directory, "ca.crt")];
  const namespace = await readFile(path.join(directory, "namespace"), "utf8").catch(() => undefined);
  return {
    cluster: { name: "cluster", server: `https://${host}:${port}`, caFile, skipTLSVerify: false },
    user: { name: "service account", authProvider: { name: "tokenFile", config: { tokenFile } } },
    namespace: namespace?.trim(),
  };
}

/** Returns the identity of the current context. Of entries with the same name the first one counts, as with kubectl. */
async function kubeconfigIdentity(files: readonly string[]): Promise<Identity> {
  const parts = await Promise.all(files.map(readKubeconfig));
  const wanted = parts.find((part) => part.current)?.current;
  const context = parts.flatMap(({ contexts }) => contexts).find(({ name }) => name === wanted);
  const cluster = parts.flatMap(({ clusters }) => clusters).find(({ name }) => name === context?.cluster);
  const user = parts.flatMap(({ users }) => users).find(({ name }) => name === context?.user);
  if (context === undefined || cluster === undefined) {
    const missing = context === undefined ? "its current context" : `the cluster \`${context.cluster}\``;
    throw new KubeError("E_KUBE_CONFIG", `${files.join(", ")}: ${missing} is missing`);
  }
  return { cluster, user: user ?? { name: context.user }, namespace: context.namespace };
}

async function readKubeconfig(file: string) {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new KubeError("E_KUBE_CONFIG", `the kubeconfig cannot be read: ${messageOf(error)}`, { cause: error });
  }
  const config = parse(file, text);
  try {
    return {
      current: config["current-context"] as string | undefined,
      contexts: newContexts(config["contexts"]),
      clusters: newClusters(config["clusters"]).map((cluster) => absoluteCluster(cluster, path.dirname(file))),
      users: newUsers(config["users"]).map((user) =>
        withTokenFile(absoluteUser(user, path.dirname(file)), config["users"], path.dirname(file)),
      ),
    };
  } catch (error) {
    throw new KubeError("E_KUBE_CONFIG", `${file}: ${messageOf(error)}`);
  }
}

function parse(file: string, text: string): Readonly<Record<string, unknown>> {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const [fault] = document.errors;
  // The parser's message can quote the file, and a kubeconfig contains secrets.
  const place = fault === undefined ? file : `${file}:${lineCounter.linePos(fault.pos[0]).line}`;
  const config: unknown = fault === undefined ? document.toJS() : undefined;
  if (typeof config !== "object" || config === null)
    throw new KubeError("E_KUBE_CONFIG", `${place} is not a kubeconfig`);
  return config as Readonly<Record<string, unknown>>;
}

function absoluteCluster(cluster: Cluster, directory: string): Cluster {
  return { ...cluster, ...(cluster.caFile && { caFile: path.resolve(directory, cluster.caFile) }) };
}

function absoluteUser(user: User, directory: string): User {
  return {
    ...user,
    ...(user.certFile && { certFile: path.resolve(directory, user.certFile) }),
    ...(user.keyFile && { keyFile: path.resolve(directory, user.keyFile) }),
  };
}

/** Adds `tokenFile`, which the official client ignores. It takes precedence over `token`, as with kubectl. */
function withTokenFile(user: User, entries: unknown, directory: string): User {
  const named = (entries as readonly { name: string; user?: { tokenFile?: string } }[]).find(
    ({ name }) => name === user.name,
  );
  const file = named?.user?.tokenFile;
  if (typeof file !== "string" || file === "") return user;
  const authProvider = { name: "tokenFile", config: { tokenFile: path.resolve(directory, file) } };
  return Object.assign(user, { token: undefined, authProvider });
}
