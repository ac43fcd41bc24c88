import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { CHART } from "../../scripts/helm.ts";
import { askedBy, panelsOf, readDashboard } from "../integration/support/grafana.ts";
import { chartObjects, type ChartObject } from "../support/chart.ts";

const COLUMNS = 24;
/** `kubectl apply` stores the object in an annotation, and all annotations together have at most this size. */
const MAX_ANNOTATION_BYTES = 262_144;
/** Grafana's limit of a uid. */
const MAX_UID = 40;
/** Grafana's built-in variables in queries and links. */
const BUILT_IN = /^(__\w+|timeFilter|tag_\w+)$/;

const FILES = globSync(`${CHART}/dashboards/**/*.json`).sort();
const DASHBOARDS = new Map(FILES.map((file) => [file, readDashboard(file)]));
const LANGUAGES = ["influxql", "flux", "sql", "promql"];
/** The dashboards whose queries go to a data source of Prometheus. */
const PROMETHEUS = /^(promql\/.*|agent\.json)$/;

interface ValueMapping {
  readonly type: string;
  readonly options: Readonly<Record<string, { readonly text?: string } | undefined>>;
}

function configMaps(...args: string[]): readonly ChartObject[] {
  return chartObjects("--set", "dashboards.enabled=true", ...args).filter(({ kind }) => kind === "ConfigMap");
}

test("there is a dashboard of each kind in each language, and one of the agents", () => {
  const expected = LANGUAGES.flatMap((language) => ["node", "vm", "fleet"].map((name) => `${language}/${name}.json`));
  const found = FILES.map((file) => path.relative(`${CHART}/dashboards`, file));
  assert.deepEqual(found, [...expected, "agent.json"].sort());
});

test("each dashboard has its own uid and title", () => {
  const uids = [...DASHBOARDS.values()].map(({ uid }) => uid);
  assert.equal(new Set(uids).size, FILES.length);
  for (const uid of uids) assert.ok(/^[\w-]+$/.test(uid) && uid.length <= MAX_UID, uid);
  assert.equal(new Set([...DASHBOARDS.values()].map(({ title }) => title)).size, FILES.length);
});

for (const [file, dashboard] of DASHBOARDS) {
  const name = path.relative(`${CHART}/dashboards`, file);

  test(`${name}: panels have different ids and do not overlap`, () => {
    const inRows = dashboard.panels.map(({ panels = [] }) => panels);
    const ids = [dashboard.panels, ...inRows].flat().map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    for (const panels of [dashboard.panels, ...inRows]) {
      const taken = new Map<string, string>();
      for (const { title, gridPos } of panels) {
        assert.ok(gridPos.x >= 0 && gridPos.x + gridPos.w <= COLUMNS, title);
        for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
          for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
            assert.equal(taken.get(`${x},${y}`), undefined, title);
            taken.set(`${x},${y}`, title);
          }
      }
    }
  });

  test(`${name}: every panel has a description`, () => {
    for (const panel of panelsOf(dashboard)) {
      const { defaults } = panel["fieldConfig"] as { readonly defaults: { readonly unit?: string } };
      assert.ok(defaults.unit, panel.title);
      assert.match(String(panel["description"]), /\.$/, panel.title);
      assert.ok((panel.targets ?? []).length > 0, panel.title);
      for (const target of panel.targets ?? []) assert.notEqual(askedBy(target), "", panel.title);
    }
  });

  test(`${name}: all data comes from the chosen data source`, () => {
    const type = PROMETHEUS.test(name) ? "prometheus" : "influxdb";
    const [, ...references] = JSON.stringify(dashboard).split('"datasource":');
    assert.notEqual(references.length, 0);
    for (const reference of references)
      assert.ok(reference.startsWith(`{"type":"${type}","uid":"\${datasource}"}`), reference.slice(0, 100));
    assert.equal(dashboard.templating.list[0]?.query, type);
  });

  test(`${name}: every variable is used and defined`, () => {
    const { templating, ...rest } = dashboard;
    const names = templating.list.map((variable) => variable.name);
    const queries = templating.list.map(({ query }) => query);
    const used = new Set(
      [...JSON.stringify([rest, queries]).matchAll(/\$\{?(\w+)/g)]
        .map(([, variable = ""]) => variable)
        .filter((variable) => !BUILT_IN.test(variable)),
    );
    assert.deepEqual(
      [...used].filter((variable) => !names.includes(variable)),
      [],
    );
    assert.deepEqual(
      names.filter((variable) => !used.has(variable) && variable !== "datasource"),
      [],
    );
  });
}

test("in PromQL, the number of a state and a reason is shown as the word of the reason", () => {
  const panels = FILES.filter((file) => file.includes("/promql/")).flatMap((file) => panelsOf(readDashboard(file)));
  const ofReasons = panels.filter(({ targets = [] }) =>
    targets.some((target) => askedBy(target).includes("reason_code")),
  );
  assert.deepEqual(
    ofReasons.map(({ title }) => title),
    ["Paused VMs", "Paused VMs", "Reason of the state"],
  );
  for (const { title, fieldConfig } of ofReasons) {
    const { mappings } = (fieldConfig as { readonly defaults: { readonly mappings: readonly ValueMapping[] } })
      .defaults;
    const [words, others] = mappings;
    assert.equal(words?.options["101"]?.text, "booted", title);
    assert.equal(words.options["305"]?.text, "io-error", title);
    // A reason that a newer libvirt has added. Grafana takes the first mapping that fits.
    assert.equal(words.options["399"], undefined, title);
    assert.deepEqual([others?.options["from"], others?.options["to"]], [0, 799], title);
  }
});

test("in PromQL, the queries over the whole time ask for one time, and those over buckets for each step", () => {
  for (const file of FILES.filter((file) => file.includes("/promql/")))
    for (const { title, targets = [] } of panelsOf(readDashboard(file)))
      for (const target of targets) {
        const isWhole = askedBy(target).includes("[$__range]");
        assert.notEqual(isWhole, askedBy(target).includes("[$__interval]"), title);
        assert.deepEqual([target["instant"], target["range"]], [isWhole, !isWhole], title);
      }
});

for (const language of LANGUAGES) {
  test(`the chart makes ConfigMaps of the ${language} dashboards that kubectl can apply`, () => {
    const made = configMaps("--set", `dashboards.language=${language}`);
    assert.deepEqual(
      made.map(({ metadata }) => metadata.labels?.["grafana_dashboard"]),
      ["1", "1", "1", "1"],
    );
    const held = made.flatMap(({ data = {} }) => Object.values(data)).map((text) => JSON.parse(text) as object);
    const wanted = FILES.filter((file) => file.includes(`/${language}/`) || file.endsWith("/agent.json"));
    assert.deepEqual(new Set(held), new Set(wanted.map((file) => DASHBOARDS.get(file))));
    for (const configMap of made)
      assert.ok(Buffer.byteLength(JSON.stringify(configMap)) < MAX_ANNOTATION_BYTES, configMap.metadata.name);
    const files = made.flatMap(({ data = {} }) => Object.keys(data));
    assert.equal(new Set(files).size, files.length);
  });
}

test("the ConfigMaps have the sidecar's labels and annotations", () => {
  const [first] = configMaps(
    "--set-json",
    'dashboards.labels={"grafana_dashboard":null,"dash":"yes"},dashboards.annotations={"grafana_folder":"VMs"}',
  );
  assert.equal(first?.metadata.labels?.["grafana_dashboard"], undefined);
  assert.equal(first?.metadata.labels?.["dash"], "yes");
  assert.deepEqual(first.metadata.annotations, { grafana_folder: "VMs" });
});

test("Helm does not render the dashboards as templates", () => {
  for (const file of FILES)
    if (!PROMETHEUS.test(path.relative(`${CHART}/dashboards`, file)))
      assert.ok(!readFileSync(file, "utf8").includes("{{"), file);
});
