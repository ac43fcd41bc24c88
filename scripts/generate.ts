// Writes the files that are made from the sources. With --check nothing is written, and a file that differs is a fault.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { format } from "prettier";
import { configReference } from "./generate/config-reference.ts";
import { nodeTelemetryCrd, telemetryConfigCrd } from "./generate/crd.ts";
import { nodeReference } from "./generate/node-reference.ts";

const FILES: Readonly<Record<string, () => string>> = {
  "docs/reference/nodetelemetry.md": nodeReference,
  "docs/reference/telemetryconfig.md": configReference,
  "manifests/crds/nodetelemetries.yaml": nodeTelemetryCrd,
  "manifests/crds/telemetryconfigs.yaml": telemetryConfigCrd,
};

const checkOnly = process.argv.includes("--check");
const config = JSON.parse(readFileSync(".prettierrc.json", "utf8")) as object;

for (const [file, make] of Object.entries(FILES)) {
  const wanted = await format(make(), { ...config, filepath: file });
  if (!checkOnly) {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, wanted);
  } else if (read(file) !== wanted) {
    console.error(`${file} is out of date: run \`npm run generate\``);
    process.exitCode = 1;
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
