// Generates files from the sources. With --check it writes nothing, and fails if a file differs.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { format, getFileInfo } from "prettier";
import { alertRules } from "./generate/alert-rules.ts";
import { crdTemplate } from "./generate/chart-crd.ts";
import { bashCompletion, fishCompletion, zshCompletion } from "./generate/completion.ts";
import { chartReadme, valuesSchema } from "./generate/chart-values.ts";
import { scaleReport } from "../benchmarks/scale.ts";
import { commandLineReference } from "./generate/command-line-reference.ts";
import { configReference } from "./generate/config-reference.ts";
import { nodeTelemetryCrd, telemetryConfigCrd } from "./generate/crd.ts";
import { DASHBOARDS } from "./generate/dashboards/files.ts";
import { manPage } from "./generate/man-page.ts";
import { installManifest, openshiftManifest, policyManifest, rightsManifest } from "./generate/manifests.ts";
import { metricsReference } from "./generate/metrics-reference.ts";
import { nodeReference } from "./generate/node-reference.ts";
import { VM_ALERT_FILES } from "./generate/vm-alerts/files.ts";
import { CHART } from "./helm.ts";
import { provision } from "./provision/provision.ts";

type Files = Readonly<Record<string, () => string | Promise<string>>>;

const FILES: Files = {
  "docs/metrics.md": metricsReference,
  "docs/reference/command-line.md": commandLineReference,
  "docs/reference/nodetelemetry.md": nodeReference,
  "docs/reference/telemetryconfig.md": configReference,
  "docs/scale.md": scaleReport,
  "packaging/host/kubevirt-telemetry.1": manPage,
  "packaging/host/completion.bash": bashCompletion,
  "packaging/host/completion.fish": fishCompletion,
  "packaging/host/completion.zsh": zshCompletion,
  "manifests/crds/nodetelemetries.yaml": nodeTelemetryCrd,
  "manifests/crds/telemetryconfigs.yaml": telemetryConfigCrd,
  [`${CHART}/README.md`]: chartReadme,
  [`${CHART}/alerts.yaml`]: alertRules,
  ...DASHBOARDS,
  ...VM_ALERT_FILES,
  [`${CHART}/templates/crd-nodetelemetries.yaml`]: () => crdTemplate(nodeTelemetryCrd()),
  [`${CHART}/templates/crd-telemetryconfigs.yaml`]: () => crdTemplate(telemetryConfigCrd()),
  [`${CHART}/values.schema.json`]: valuesSchema,
};

/** Rendered by Helm from the chart, so after the files above. */
const RENDERED: Files = {
  "manifests/admission-policy.yaml": policyManifest,
  "manifests/components/openshift/scc.yaml": openshiftManifest,
  "manifests/install.yaml": installManifest,
  "manifests/rbac.yaml": rightsManifest,
};

const checkOnly = process.argv.includes("--check");
const config = JSON.parse(readFileSync(".prettierrc.json", "utf8")) as object;

await generate(FILES);
const missing = (await provision(["scripts/helm.ts"]).get("scripts/helm.ts")) ?? [];
if (missing.length === 0) await generate(RENDERED);
else {
  console.warn(
    `!! NOT ${checkOnly ? "CHECKED" : "MADE"}: ${Object.keys(RENDERED).join(", ")} need ${missing.join("; ")}`,
  );
  if (process.env["CI"] === "true") process.exitCode = 1;
}

async function generate(files: Files): Promise<void> {
  for (const [file, make] of Object.entries(files)) {
    const { ignored, inferredParser } = await getFileInfo(file, { ignorePath: ".prettierignore" });
    const made = await make();
    const wanted = ignored || inferredParser === null ? made : await format(made, { ...config, filepath: file });
    if (!checkOnly) {
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, wanted);
    } else if (read(file) !== wanted) {
      console.error(`${file} is out of date: run \`npm run generate\``);
      process.exitCode = 1;
    }
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
