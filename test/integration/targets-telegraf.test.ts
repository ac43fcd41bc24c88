import { pointText } from "./support/row-text.ts";
import { testTarget, type TargetCase } from "./support/target-suite.ts";
import { startTelegraf, writtenPoints } from "./support/telegraf-listener.ts";

const LISTENERS = {
  influxdb_listener: (database: string) => `v1: {database: ${database}}`,
  influxdb_v2_listener: (database: string) => `v2: {org: o, bucket: ${database}}`,
};

// Telegraf has no databases and no types, and writes each point as often as it gets it.
for (const [listener, api] of Object.entries(LISTENERS))
  testTarget(`Telegraf 1.37.2, ${listener}`, async (): Promise<TargetCase> => {
    const server = await startTelegraf(listener as keyof typeof LISTENERS);
    return {
      documented: "Telegraf",
      server,
      api,
      badLine: "rejected",
      typeConflict: "stored",
      keepsRepeats: true,
      stored: () => writtenPoints(server),
      held: (point) => [pointText(point)],
    };
  });
