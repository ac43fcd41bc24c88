import { CHART } from "../../helm.ts";
import { AGENT_PANELS } from "./agent.ts";
import { dashboardModel } from "./dashboard.ts";
import { FLEET_PANELS } from "./fleet.ts";
import { FLUX } from "./flux.ts";
import { INFLUXQL } from "./influxql.ts";
import { NODE_PANELS } from "./node.ts";
import { FLEET_OPTIONAL, NODE_OPTIONAL } from "./overview-optional.ts";
import { datasource, panelModel, type Panel, type Section, type Source } from "./panel.ts";
import { PROMQL } from "./promql.ts";
import { filtersOf, legendOf, type EventKind, type Filter, type Language, type Query } from "./query.ts";
import { SQL } from "./sql.ts";
import { choice, MIN_INTERVAL, queryVariable, sourceVariable, textVariable, type QueryVariable } from "./variables.ts";
import { VM_OPTIONAL } from "./vm-optional.ts";
import { VM_PANELS } from "./vm.ts";

/** A dashboard of VMs, the same in every language. */
interface Subject {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly filters: readonly Filter[];
  /** Variables for tags; each offers the values of the lines that match the filters before it. */
  readonly labels: Readonly<Record<string, string>>;
  readonly variables: readonly object[];
  readonly sections: readonly Section<Query>[];
}

const LANGUAGES: readonly Language[] = [INFLUXQL, FLUX, SQL, PROMQL];
const ROWS = choice("top", "VMs in a table", "How many VMs the tables show.", ["10", "5", "20", "50"]);
const PREFIX = textVariable(
  "prefix",
  "Prefix",
  "Value of `spec.measurementPrefix` of the TelemetryConfig; usually empty.",
);

const SUBJECTS: readonly Subject[] = [
  {
    id: "node",
    title: "VMs of a node",
    description: "Resources of one node that its VMs use.",
    filters: [{ tag: "node", variable: "node" }],
    labels: { node: "Node" },
    variables: [],
    sections: [...NODE_PANELS, ...NODE_OPTIONAL],
  },
  {
    id: "vm",
    title: "One VM",
    description: "CPU, memory, disks and interfaces of one VM, on every node.",
    filters: [
      { tag: "namespace", variable: "namespace" },
      { tag: "name", variable: "vm" },
    ],
    labels: { namespace: "Namespace", vm: "VM" },
    variables: [],
    sections: [...VM_PANELS, ...VM_OPTIONAL],
  },
  {
    id: "fleet",
    title: "All VMs",
    description: "All nodes, and the VMs that use the most.",
    filters: [
      { tag: "namespace", variable: "namespace", several: true },
      { tag: "node", variable: "node", several: true },
    ],
    labels: { namespace: "Namespace", node: "Node" },
    variables: [ROWS],
    sections: [...FLEET_PANELS, ...FLEET_OPTIONAL],
  },
];

/** Annotations of every dashboard, which are turned on at its top. */
const EVENTS: readonly { readonly kind: EventKind; readonly name: string; readonly iconColor: string }[] = [
  { kind: "events", name: "Events", iconColor: "orange" },
  { kind: "migrations", name: "Migrations", iconColor: "blue" },
];

/** The dashboards of the chart: file -> its generator. */
export const DASHBOARDS: Readonly<Record<string, () => string>> = {
  ...Object.fromEntries(
    LANGUAGES.flatMap((language) =>
      SUBJECTS.map((subject) => [file(`${language.id}/${subject.id}`), () => vmDashboard(subject, language)]),
    ),
  ),
  [file("agent")]: agentDashboard,
};

function file(name: string): string {
  return `${CHART}/dashboards/${name}.json`;
}

function uid(subject: string, language: Language): string {
  return `kubevirt-telemetry-${language.id}-${subject}`;
}

function vmDashboard(subject: Subject, language: Language): string {
  const { id, title, description, filters, labels, variables, sections } = subject;
  const choices = filters.map(({ tag, variable, several }, index): QueryVariable => ({
    name: variable,
    label: labels[variable] ?? variable,
    query: language.tagValues(tag, filters.slice(0, index)),
    ...(several === true && { several }),
  }));
  return dashboardModel(
    {
      uid: uid(id, language),
      title: `KubeVirt telemetry: ${title} (${language.title})`,
      description: `${description} For kubevirt-telemetry with ${language.database}, in ${language.title}.`,
      tag: `kubevirt-telemetry-${language.id}`,
      refresh: "30s",
      variables: [
        sourceVariable(language.source),
        ...language.variables,
        PREFIX,
        ...choices.map((choice) => queryVariable(language.source, choice)),
        ...variables,
        MIN_INTERVAL,
      ],
      annotations: EVENTS.map(({ kind, name, iconColor }) => ({
        name,
        iconColor,
        // Until Events is collected, there is nothing to ask for.
        enable: false,
        datasource: datasource(language.source),
        ...language.annotation,
        target: { refId: "Anno", ...language.events(kind, filters) },
      })),
    },
    sections,
    (panel) => panelModel(panel, sourceOf(panel, language, filters)),
  );
}

function sourceOf(panel: Panel<Query>, language: Language, filters: readonly Filter[]): Source {
  const type = language.source;
  if (panel.kind === "word" || panel.kind === "words" || panel.kind === "table") {
    const kept = ["datasource", "prefix", ...(language.linked ?? [])].map((name) => `\${${name}:queryparam}`).join("&");
    const targets = panel.asked.map((query) =>
      panel.kind === "table" ? language.top(query, filters) : language.text(query, filters),
    );
    return {
      type,
      targets,
      link: `/d/${uid("vm", language)}?${kept}&var-namespace=\${__data.fields.namespace}&var-vm=\${__data.fields.name}&\${__url_time_range}`,
      ...(panel.kind !== "table" && language.texts !== undefined && { texts: language.texts }),
    };
  }
  return {
    type,
    targets: panel.asked.map((query) => language.series(query, filtersOf(query, filters))),
    ...(language.namesSeries !== true && {
      names: panel.asked.map((query) => legendOf(query, (tag) => `\${__field.labels.${tag}}`)),
    }),
  };
}

function agentDashboard(): string {
  return dashboardModel(
    {
      uid: "kubevirt-telemetry-agent",
      title: "KubeVirt telemetry: Agents (Prometheus)",
      description: "State of the agents and controllers of kubevirt-telemetry, from their metrics in Prometheus.",
      tag: "kubevirt-telemetry-prometheus",
      refresh: "30s",
      variables: [
        sourceVariable("prometheus"),
        queryVariable("prometheus", {
          name: "job",
          label: "Job",
          query: "label_values(kubevirt_telemetry_build_info, job)",
          several: true,
        }),
        queryVariable("prometheus", {
          name: "instance",
          label: "Agent or controller",
          query: 'label_values(kubevirt_telemetry_build_info{job=~"$job"}, instance)',
          several: true,
        }),
        MIN_INTERVAL,
      ],
    },
    AGENT_PANELS,
    (panel) =>
      panelModel(panel, {
        type: "prometheus",
        targets: panel.asked.map(({ expr, legend }) => ({
          expr: expr.replaceAll("$pods", 'job=~"$job", instance=~"$instance"'),
          legendFormat: legend,
          range: true,
        })),
      }),
  );
}
