// Runs all static checks at the same time, also after one has failed, so that one run shows every fault.
import { spawn } from "node:child_process";
import { once } from "node:events";

const CHECKS: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ["types", "npx", "tsc", "--project", "."],
  ["lint", "npx", "eslint", "--max-warnings", "0", "."],
  ["format", "npx", "prettier", "--check", "--log-level", "warn", "."],
  ["dead code", "npx", "knip"],
  ["unused members", "node", "scripts/unused-members.ts"],
  ["generated files", "node", "scripts/generate.ts", "--check"],
  ["words", "node", "scripts/words.ts"],
];

/** Runs a command to its end. Resolves to whether it passed, and to all that it printed. */
async function finished(command: string, args: readonly string[]): Promise<{ passed: boolean; output: Buffer }> {
  const env = { ...(process.stdout.isTTY && { FORCE_COLOR: "1" }), ...process.env };
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  const [exitCode] = (await once(child, "close")) as [number | null];
  return { passed: exitCode === 0, output: Buffer.concat(chunks) };
}

const running = CHECKS.map(([name, command, ...args]) => ({ name, result: finished(command, args) }));
const failed: string[] = [];
for (const { name, result } of running) {
  const { passed, output } = await result;
  console.log(`# ${name}`);
  process.stdout.write(output);
  if (!passed) failed.push(name);
}
console.log(failed.length === 0 ? "all static checks passed" : `failed: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
