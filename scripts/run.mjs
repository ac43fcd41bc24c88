// Starts every npm script. Runs on Node 20, installs the locked packages if they are missing or stale, and continues with
// the Node that package.json pins. So `npm test` works right after `git clone`.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import path from "node:path";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const node = path.join(root, "node_modules/node/bin/node");
const marker = path.join(root, "node_modules/.installed-lock");

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: "inherit", ...options });
  if (result.error) throw result.error;
  return result.status ?? 1;
}

function ensurePackages() {
  const lock = createHash("sha256")
    .update(readFileSync(path.join(root, "package-lock.json")))
    .digest("hex");
  if (existsSync(node) && existsSync(marker) && readFileSync(marker, "utf8") === lock) return;
  console.error("installing the packages of package-lock.json with npm, once; this takes a while");
  const status = run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  if (status !== 0 || !existsSync(node)) {
    console.error(
      "npm ci did not install the packages (node_modules/node/bin/node is needed); see its messages above.",
    );
    process.exit(status || 1);
  }
  writeFileSync(marker, lock);
}

const [task, ...args] = process.argv.slice(2);
const script = path.join(root, "scripts", `${task}.ts`);
if (!task || !existsSync(script)) {
  console.error(`usage: node scripts/run.mjs TASK [ARGS]; there is no scripts/${task}.ts`);
  process.exit(2);
}
ensurePackages();
// Ctrl-C also reaches the task, which cleans up. Without a handler this process would end before it.
process.on("SIGINT", () => undefined);
// Child processes of the task (npm binaries, the agent under test) find the pinned Node first.
const env = { ...process.env, PATH: `${path.dirname(node)}:${process.env.PATH ?? ""}` };
process.exit(run(node, [script, ...args], { env }));
