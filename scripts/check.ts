// Runs all static checks, also after one has failed, so that one run shows every fault.
import { spawnSync } from "node:child_process";

const CHECKS: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ["types", "npx", "tsc", "--project", "."],
  ["lint", "npx", "eslint", "--max-warnings", "0", "."],
  ["format", "npx", "prettier", "--check", "--log-level", "warn", "."],
  ["dead code", "npx", "knip"],
  ["generated files", "node", "scripts/generate.ts", "--check"],
];

const failed = CHECKS.filter(([name, command, ...args]) => {
  console.log(`# ${name}`);
  return spawnSync(command, args, { stdio: "inherit" }).status !== 0;
}).map(([name]) => name);

console.log(failed.length === 0 ? "all static checks passed" : `failed: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
