import { constants } from "node:crypto";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent, type RequestOptions } from "node:https";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import type { EffectiveTarget } from "../../config/resolve.ts";
import { addressTimeoutMs } from "../../lib/connect-timeout.ts";
import { checkAltName } from "../../lib/server-identity.ts";
import { bypassesProxy } from "./no-proxy.ts";
import { limitTunnelAnswer } from "./receive-limit.ts";
import { TargetLookup } from "./target-lookup.ts";

/** The environment with the variables below, and `NO_PROXY`, which lists the hosts that need no proxy. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

/** Node prefers the lower-case forms, as other programs do. */
const PROXY_VARIABLES = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"];

/** One request is in flight at a time. A second socket may be closing. */
const POOL = { keepAlive: true, maxSockets: 2 };

/**
 * Returns the connections to a URL, through a proxy if the environment names one. With https they go through a tunnel, whose
 * content the proxy cannot read. Throws if a variable is not the URL of a proxy.
 */
export function createAgent(
  { url, tls, timeoutMs }: Pick<EffectiveTarget, "url" | "tls" | "timeoutMs">,
  proxies: ProxyEnvironment,
): HttpAgent {
  const common = {
    ...POOL,
    proxyEnv: proxiesFor(url, proxies),
    lookup: new TargetLookup().lookup,
    autoSelectFamilyAttemptTimeout: addressTimeoutMs(timeoutMs),
  };
  if (new URL(url).protocol !== "https:") return new HttpAgent(common);
  return new TunnelAgent({
    ...common,
    rejectUnauthorized: tls.mode !== "Insecure",
    checkServerIdentity: checkAltName,
    // Otherwise a server could ask for handshakes without end.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    ...(tls.ca !== undefined && { ca: tls.ca }),
    ...(tls.cert !== undefined && { cert: tls.cert }),
    ...(tls.key !== undefined && { key: tls.key.reveal() }),
    ...(tls.serverName !== undefined && { servername: tls.serverName }),
  });
}

/** Returns every text that would reveal the credentials of the proxies. */
export function proxySecrets(proxies: ProxyEnvironment): readonly string[] {
  const proxyEnv = withSchemes(proxies);
  return PROXY_VARIABLES.flatMap((variable) => {
    const proxy = URL.parse(proxyEnv[variable] ?? "");
    if (proxy === null || proxy.password === "") return [];
    const [user, password] = [decodeURIComponent(proxy.username), decodeURIComponent(proxy.password)];
    return [Buffer.from(`${user}:${password}`).toString("base64"), proxy.password, password];
  });
}

/** Returns the proxies for a URL: none if it needs none. Node's own reading of NO_PROXY knows no networks and no subdomains. */
function proxiesFor(url: string, proxies: ProxyEnvironment): ProxyEnvironment {
  const { no_proxy: lowerCase, NO_PROXY: upperCase, ...others } = proxies;
  return bypassesProxy(url, lowerCase || (upperCase ?? "")) ? {} : withSchemes(others);
}

/** Adds `http://` to proxies that are given as `host:port`. Node ignores these; other programs use http. */
function withSchemes(proxies: ProxyEnvironment): Record<string, string | undefined> {
  const schemes = PROXY_VARIABLES.flatMap((variable) => {
    const proxy = proxies[variable];
    return proxy === undefined || proxy === "" || proxy.includes("://") ? [] : [[variable, `http://${proxy}`] as const];
  });
  return { ...proxies, ...Object.fromEntries(schemes) };
}

/** Node's agent does not track a connection before its tunnel is ready, so by itself it could not close one that hangs. */
class TunnelAgent extends HttpsAgent {
  readonly #open = new Set<Duplex>();

  override createConnection(
    options: RequestOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const socket = super.createConnection(options, callback);
    if (socket) {
      if (!(socket instanceof TLSSocket)) limitTunnelAnswer(socket);
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
