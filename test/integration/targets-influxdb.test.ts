import type { Row } from "./support/csv.ts";
import { Influxd1 } from "./support/influxd1.ts";
import { Influxd2 } from "./support/influxd2.ts";
import { pointText, rowText } from "./support/row-text.ts";
import { testTarget, type TargetCase } from "./support/target-suite.ts";

type Query = (q: string, database: string) => Promise<Row[]>;

/** Returns everything that an InfluxDB holds, a text for each point. */
async function storedPoints(query: Query, databases: readonly string[]): Promise<readonly string[]> {
  const points: string[] = [];
  for (const database of databases)
    for (const { name: measurement = "" } of await query("SHOW MEASUREMENTS", database)) {
      const rows = await query(`SELECT * FROM "${measurement}"`, database);
      points.push(...rows.map((row) => rowText(`${database} ${measurement}`, row)));
    }
  return points;
}

const held: TargetCase["held"] = (point, database) => [pointText(point, { table: `${database} ${point.measurement}` })];
const REJECTS = { badLine: "rejected", typeConflict: "rejected" } as const;
const DATABASES = ["telemetry", "elsewhere"];

testTarget("InfluxDB 1.6.7, v1", async () => {
  const server = await Influxd1.start();
  return {
    documented: "InfluxDB 1",
    server,
    api: (database) => `v1: {database: ${database}}`,
    createDatabase: async (name) => {
      await server.query(`CREATE DATABASE ${name}`);
    },
    ...REJECTS,
    stored: () => storedPoints((q, database) => server.query(q, database), DATABASES),
    held,
  };
});

const APIS_OF_2 = {
  v1: (database: string) => `v1: {database: ${database}, credentialsSecretRef: {name: influx2}}`,
  v2: (bucket: string) => `v2: {org: tests, bucket: ${bucket}, tokenSecretRef: {name: influx2}}`,
};

for (const [version, api] of Object.entries(APIS_OF_2))
  testTarget(`InfluxDB 2.7.12, ${version}`, async () => {
    const server = await Influxd2.start();
    const { token } = server;
    return {
      documented: "InfluxDB 2",
      server,
      api,
      secrets: { influx2: { token, username: "anyone", password: token } },
      createDatabase: (name) => server.createBucket(name),
      ...REJECTS,
      stored: () => storedPoints((q, database) => server.query(q, database), DATABASES),
      held,
    };
  });
