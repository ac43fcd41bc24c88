import { Influxd1 } from "../test/integration/support/influxd1.ts";
import { Influxd2 } from "../test/integration/support/influxd2.ts";
import { countOnly, drain, type DrainCost, type StartServer } from "./drain.ts";

/** A drain, and the name of the server that took it. */
export interface NamedDrain extends DrainCost {
  readonly server: string;
}

const influxd2: StartServer = async (resources) => {
  const { url, org, bucket, token } = resources.use(await Influxd2.start());
  const target = { v2: { org, bucket, tokenSecretRef: { name: "influx" } } };
  return { url, target, secrets: { influx: { token } } };
};

const influxd1: StartServer = async (resources) => {
  const { url, database } = resources.use(await Influxd1.start());
  return { url, target: { v1: { database } } };
};

const CASES: readonly (readonly [server: string, start: StartServer, paced: boolean])[] = [
  ["a server that only counts", countOnly, false],
  ["InfluxDB 2", influxd2, false],
  ["InfluxDB 1", influxd1, false],
  ["InfluxDB 2", influxd2, true],
];

/** Measures delivery after an outage of a target. */
export async function measureDrains(): Promise<readonly NamedDrain[]> {
  const costs: NamedDrain[] = [];
  for (const [server, start, paced] of CASES) costs.push({ server, ...(await drain(start, paced)) });
  return costs;
}
