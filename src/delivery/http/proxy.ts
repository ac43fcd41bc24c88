import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent, type RequestOptions } from "node:https";
import type { Duplex } from "node:stream";
import type { EffectiveTarget } from "../../config/resolve.ts";

/** Where the variables below are looked up; `NO_PROXY` says which targets are reached without a proxy. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

/** The small ones win, as everywhere. */
const PROXY_VARIABLES = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"];

/** One request is in flight at a time; a second socket may be closing. */
const POOL = { keepAlive: true, maxSockets: 2 };

/**
 * Connections to a target, by way of a proxy if the environment says so: to one with https through a tunnel, into which
 * the proxy cannot look.
 */
export function createAgent({ url, tls }: Pick<EffectiveTarget, "url" | "tls">, proxies: ProxyEnvironment): HttpAgent {
  const proxyEnv = withSchemes(proxies);
  if (new URL(url).protocol !== "https:") return new HttpAgent({ ...POOL, proxyEnv });
  return new TunnelAgent({
    ...POOL,
    proxyEnv,
    rejectUnauthorized: tls.mode !== "Insecure",
    ...(tls.ca !== undefined && { ca: tls.ca }),
    ...(tls.cert !== undefined && { cert: tls.cert }),
    ...(tls.key !== undefined && { key: tls.key.reveal() }),
    ...(tls.serverName !== undefined && { servername: tls.serverName }),
  });
}

/** User and password of the proxies, in every form by which they could be known. */
export function proxySecrets(proxies: ProxyEnvironment): readonly string[] {
  const proxyEnv = withSchemes(proxies);
  return PROXY_VARIABLES.flatMap((variable) => {
    const proxy = URL.parse(proxyEnv[variable] ?? "");
    if (proxy === null || proxy.password === "") return [];
    const [user, password] = [decodeURIComponent(proxy.username), decodeURIComponent(proxy.password)];
    return [Buffer.from(`${user}:${password}`).toString("base64"), proxy.password, password];
  });
}

/** Node ignores a proxy that is given as `host:port`; everybody else takes it for one of http. */
function withSchemes(proxies: ProxyEnvironment): Record<string, string | undefined> {
  const schemes = PROXY_VARIABLES.flatMap((variable) => {
    const proxy = proxies[variable];
    return proxy === undefined || proxy === "" || proxy.includes("://") ? [] : [[variable, `http://${proxy}`] as const];
  });
  return { ...proxies, ...Object.fromEntries(schemes) };
}

/** Node's agent knows nothing of a connection before a tunnel is ready, so nothing ends one that hangs. */
class TunnelAgent extends HttpsAgent {
  readonly #open = new Set<Duplex>();

  override createConnection(
    options: RequestOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const socket = super.createConnection(options, callback);
    if (socket) {
      this.#open.add(socket);
      socket.once("close", () => this.#open.delete(socket));
    }
    return socket;
  }

  override destroy(): void {
    super.destroy();
    for (const socket of this.#open) socket.destroy();
  }
}
