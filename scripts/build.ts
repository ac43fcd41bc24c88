// Makes the bundle dist/kubevirt-telemetry.js: one file that needs only Node.
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { build, type Plugin } from "esbuild";

const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };

/**
 * An import of node:http reads all its exports, and one of them loads the whole of Node's fetch on access: 3 MB of memory.
 * A require reads none.
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
  // Without this check an older Node ends at the first syntax that it does not know, and prints a page of this file.
  `if (parseInt(process.versions.node) < 24) {
  console.error("kubevirt-telemetry needs Node 24 or newer, and this is " + process.versions.node);
  process.exit(2);
}`,
  // CommonJS packages in the bundle need `require` for Node's modules.
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  // By default V8 collects up to 32 MB of new objects before a garbage collection; a cycle makes 4 MB.
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
  // Names are kept: with short names esbuild would restore every function's and error's name at run time.
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

/** Returns the licence texts of all packages with a file in the bundle. */
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
  return "The package contains no licence text.\n";
}
