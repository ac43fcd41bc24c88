import type { EffectiveTarget } from "../config/resolve.ts";
import { INFLUX } from "./influx/influx.ts";
import { PRINT } from "./print.ts";
import type { Protocol } from "./protocol.ts";

/** The protocols by kind of target. */
export const PROTOCOLS = {
  influx: INFLUX,
  print: PRINT,
} as const satisfies Readonly<Record<string, Protocol>>;

/** Chooses the protocol of a target. */
export type ProtocolOf = (target: EffectiveTarget) => Protocol;

/** Returns the protocol that the configuration of a target asks for. All targets are InfluxDB today. */
export const configuredProtocol: ProtocolOf = () => PROTOCOLS.influx;
