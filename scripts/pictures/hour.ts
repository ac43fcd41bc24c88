import { answer, type AnsweredDashboard } from "./answers.ts";
import { CHOSEN } from "./history.ts";
import { CHART } from "../helm.ts";
import { influxqlServer } from "../../test/integration/support/dashboard-servers.ts";
import { readDashboard, type Choices, type Shown } from "../../test/integration/support/grafana.ts";

/** The dashboards about VMs, in the order of a page, with what is chosen at their top. */
const DASHBOARDS = {
  fleet: { node: ".*", namespace: ".*" },
  node: { node: CHOSEN.node },
  vm: { namespace: CHOSEN.namespace, vm: CHOSEN.vm },
} as const satisfies Readonly<Record<string, Choices>>;
export type Subject = keyof typeof DASHBOARDS;
export const SUBJECTS = Object.keys(DASHBOARDS) as readonly Subject[];

/** Asks the queries of a dashboard about VMs for an hour that `writeHour` has written. */
export function answerHour(
  subject: Subject,
  from: Parameters<typeof influxqlServer>[0],
  shown: Shown,
): Promise<AnsweredDashboard> {
  const dashboard = readDashboard(`${CHART}/dashboards/influxql/${subject}.json`);
  const choices = { prefix: "", top: "10", ...DASHBOARDS[subject] };
  return answer(dashboard, choices, shown, influxqlServer(from));
}
