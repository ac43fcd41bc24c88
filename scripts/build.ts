// The bundle dist/kubevirt-telemetry.js: one file that needs Node and nothing else.
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { build, type Plugin } from "esbuild";

const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };

/**
 * Importing node:http reads every export of it, and one that is made on demand loads the whole of Node's fetch: 3 MB of
 * memory. Requiring it reads none.
 */
const httpByRequire: Plugin = {
  name: "http by require",
  setup(build) {
    build.onResolve({ filter: /^(node:)?http2?$/ }, ({ kind, path }) =>
      kind === "import-statement" ? { path, namespace: "required" } : undefined,
    );
    build.onLoad({ filter: /^/, namespace: "required" }, ({ path }) => ({
      contents: `module.exports = require("${path}");`,
    }));
  },
};

const BANNER = [
  "#!/usr/bin/env node",
  // An older one ends at the first thing that it does not know, with a page of this file.
  `if (parseInt(process.versions.node) < 24) {
  console.error("kubevirt-telemetry needs Node 24 or newer, and this is " + process.versions.node);
  process.exit(2);
}`,
  // CommonJS packages in the bundle ask for Node's modules with require.
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  // V8 would let new objects pile up in as much as 32 MB before it looks what is left of them; a cycle makes 4 MB.
  'import { setFlagsFromString as __setFlags } from "node:v8"; __setFlags("--semi-space-growth-factor=1");',
];

rmSync("dist", { recursive: true, force: true });
const { metafile } = await build({
  entryPoints: ["src/main.ts"],
  outfile: "dist/kubevirt-telemetry.js",
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  // Names stay: short ones would have to be set back to the long ones at run time, for every function and every error.
  minifyWhitespace: true,
  minifySyntax: true,
  sourcemap: "linked",
  sourcesContent: false,
  legalComments: "none",
  metafile: true,
  plugins: [httpByRequire],
  define: { BUNDLED_VERSION: JSON.stringify(version) },
  banner: { js: BANNER.join("\n") },
});
chmodSync("dist/kubevirt-telemetry.js", 0o755);
writeFileSync("dist/THIRD_PARTY_LICENSES.txt", licences(Object.keys(metafile.inputs)));
console.log(`dist/kubevirt-telemetry.js ${version}`);

/** The licence text of every package that has a file in the bundle. */
function licences(inputs: readonly string[]): string {
  const packages = new Set(
    inputs.flatMap((input) => /^(?:.*node_modules\/)((?:@[^/]+\/)?[^/]+)/.exec(input)?.[0] ?? []),
  );
  return [...packages]
    .sort()
    .map((directory) => {
      const about = JSON.parse(readFileSync(path.join(directory, "package.json"), "utf8")) as Record<string, string>;
      return `${about["name"]} ${about["version"]} (${about["license"]})\n\n${licenceText(directory)}`;
    })
    .join(`\n${"-".repeat(80)}\n\n`);
}

function licenceText(directory: string): string {
  for (const name of ["LICENSE", "LICENSE.md", "LICENSE.txt", "license", "LICENCE"]) {
    try {
      return readFileSync(path.join(directory, name), "utf8");
    } catch {
      // Try the next name.
    }
  }
  return "The package carries no licence text of its own.\n";
}
