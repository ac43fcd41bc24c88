import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { DATA_SOURCE, DIRECTORY } from "../../../scripts/generate/vm-alerts/files.ts";
import { READ_MINUTES, VM_ALERTS } from "../../../scripts/generate/vm-alerts/rules.ts";
import { DEFAULT_SCHEDULES } from "../../../src/config/defaults.ts";
import { FAMILY_NAMES, MEASUREMENT_FIELDS, namesTakenBy } from "../../../src/contract.ts";
import { parseDuration } from "../../../src/lib/duration.ts";
import { anchorOf, docHeadings, docTables } from "../../support/docs.ts";

/** Grafana's limit of a uid. */
const MAX_UID = 40;

interface Step {
  readonly refId: string;
  readonly datasourceUid: string;
  readonly model: { readonly refId: string; readonly expression?: string };
}
interface Rule {
  readonly uid: string;
  readonly title: string;
  readonly condition: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly data: readonly Step[];
}

const FILES = globSync(`${DIRECTORY}/grafana-*.yaml`);

function rulesOf(file: string): readonly Rule[] {
  const { groups } = parse(readFileSync(file, "utf8")) as { readonly groups: readonly { readonly rules: Rule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

test("every rule reads a field of its family", () => {
  for (const { alert, family, asked } of VM_ALERTS) {
    assert.ok(FAMILY_NAMES.includes(family), alert);
    assert.ok(namesTakenBy(family).includes(asked.field), alert);
    assert.ok(asked.field in (MEASUREMENT_FIELDS[asked.measurement] ?? {}), alert);
  }
});

test("the files of Grafana have a rule for each alert, and each step refers to the one before", () => {
  assert.equal(FILES.length, 3);
  for (const file of FILES) {
    const rules = rulesOf(file);
    assert.deepEqual(
      rules.map(({ title }) => title),
      VM_ALERTS.map(({ alert }) => alert),
    );
    assert.equal(new Set(rules.map(({ uid }) => uid)).size, rules.length);
    for (const { uid, condition, data } of rules) {
      assert.ok(uid.length <= MAX_UID, uid);
      assert.deepEqual(
        data.map(({ refId, model, datasourceUid }) => [refId, model.refId, datasourceUid]),
        [
          ["A", "A", DATA_SOURCE],
          ["B", "B", "__expr__"],
          ["C", "C", "__expr__"],
        ],
      );
      assert.match(data[1]?.model.expression ?? "", /^\$?A$/);
      assert.equal(data[2]?.model.expression, "B");
      assert.equal(condition, "C");
    }
  }
});

test("no text of the rules is taken for an environment variable by Grafana", () => {
  for (const file of FILES) assert.ok(!readFileSync(file, "utf8").includes("${"), file);
});

test("every rule links to its section of the runbook", () => {
  const anchors = docHeadings("docs/runbook.md").map(anchorOf);
  for (const { title, annotations } of FILES.flatMap(rulesOf)) {
    const [, anchor = ""] = (annotations["runbook_url"] ?? "").split("#");
    assert.ok(anchors.includes(anchor), title);
  }
});

test("the page has every alert with its family and severity", () => {
  const [table] = docTables("docs/vm-alerts.md");
  assert.deepEqual(
    table?.rows.map(([alert, , family, severity]) => [alert, family, severity]),
    VM_ALERTS.map(({ alert, family, severity }) => [`\`${alert}\``, `\`${family}\``, severity]),
  );
});

test("the page says for which intervals a rule finds enough lines, and the default ones are among them", () => {
  // A rate needs two lines, and a line can be late.
  const minutes = Math.floor(READ_MINUTES / 2.5);
  assert.equal(minutes, 2);
  assert.match(readFileSync("docs/vm-alerts.md", "utf8"), /interval of its family must be at most\s+two minutes/);
  const families = new Set(VM_ALERTS.map(({ family }) => family));
  for (const schedule of DEFAULT_SCHEDULES)
    if (schedule.families.some((family) => families.has(family)))
      assert.ok((parseDuration(schedule.interval) ?? Infinity) <= minutes * 60_000, schedule.interval);
});
