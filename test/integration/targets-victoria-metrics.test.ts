import { victoriaMetricsPath } from "../../scripts/provision/cache.ts";
import { testTarget, type TargetCase } from "./support/target-suite.ts";
import { samplesOf, startVictoriaMetrics, storedSamples } from "./support/victoria-metrics.ts";

// VictoriaMetrics has no databases. With the API of InfluxDB 1 the name becomes the label `db`, with that of InfluxDB 2 it is
// dropped. Every value is a float64, so no type conflicts.
const VERSIONS = {
  /** It answers 204 to a line that it cannot parse. */
  "VictoriaMetrics 1.79": { program: "victoria-metrics", badLine: "lost" },
  "VictoriaMetrics 1.151": { program: victoriaMetricsPath(), badLine: "rejected" },
} as const;
const APIS = {
  v1: { basePath: "", api: (database: string) => `v1: {database: ${database}}`, label: (database: string) => database },
  v2: {
    basePath: "/influx",
    api: (database: string) => `v2: {org: o, bucket: ${database}}`,
    label: () => undefined,
  },
} as const;

for (const [version, { program, badLine }] of Object.entries(VERSIONS))
  for (const [name, { basePath, api, label }] of Object.entries(APIS))
    testTarget(`${version}, ${name}`, async (): Promise<TargetCase> => {
      const server = await startVictoriaMetrics(program);
      return {
        documented: version,
        server,
        basePath,
        api,
        badLine,
        typeConflict: "stored",
        keepsRepeats: true,
        stored: () => storedSamples(server),
        held: (point, database) => samplesOf(point, label(database)),
      };
    });
