import type { EffectiveTarget } from "../../config/resolve.ts";
import { foreignText } from "../../lib/display-text.ts";
import type { ServerMessage } from "./answer-text.ts";

/** Headers by which a server can be told, and those of which the text is shown. In lower case. */
export const ANSWER_HEADERS = ["x-influxdb-version", "x-influxdb-error", "x-server-hostname", "server", "location"];

type Version = EffectiveTarget["protocol"]["version"];

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly message: Pick<ServerMessage, "head">;
  readonly protocol: EffectiveTarget["protocol"];
}

interface ServerKind {
  readonly name: string;
  /** The versions of the protocol that it takes, the best one first. */
  readonly takes: readonly Version[];
}

const MAX_VERSION = 20;

/**
 * Returns which setting fits the server, if an answer shows that the server does not have the API of the target. Otherwise returns
 * undefined.
 */
export function fittingProtocol(answer: Answer): string | undefined {
  const { status, message, protocol } = answer;
  const isUnsupported = status === 400 && /^unsupported path requested/i.test(message.head);
  if (status !== 404 && status !== 405 && !isUnsupported) return undefined;
  // The API is there, and what is missing is in the database.
  if (/database|bucket|organization|retention|dbrp/i.test(message.head)) return undefined;
  const kind = kindOf(answer, isUnsupported);
  if (kind === undefined || kind.takes.includes(protocol.version)) return undefined;
  const [best, ...others] = kind.takes;
  const other = others.length > 0 ? ` or ${others.join(" or ")}` : "";
  return `set ${best ?? ""}${other} instead of ${protocol.version}: the server is ${kind.name}`;
}

function kindOf({ headers }: Answer, isUnsupported: boolean): ServerKind | undefined {
  const { "x-influxdb-version": version = "", server = "" } = headers;
  const shown = foreignText(version.replace(/^v/, ""), MAX_VERSION);
  // InfluxDB 1.8 and later also take requests of version 2. Telegraf calls itself 1.0.
  if (/^v?1\./.test(version))
    return { name: `an InfluxDB ${shown}`, takes: /^v?1\.(?:[89]|\d\d)/.test(version) ? ["v1", "v2"] : ["v1"] };
  if (/^v?2\./.test(version)) return { name: `an InfluxDB ${shown}`, takes: ["v2", "v1"] };
  if (/questdb/i.test(server)) return { name: "a QuestDB", takes: ["v2", "v1"] };
  if (isUnsupported && headers["x-server-hostname"] !== undefined)
    return { name: "a VictoriaMetrics", takes: ["v2", "v1"] };
  return undefined;
}
