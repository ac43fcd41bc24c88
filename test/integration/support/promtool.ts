import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

export interface PromtoolResult {
  readonly ok: boolean;
  readonly output: string;
}

/** Runs Prometheus' own tool to its end. */
export async function promtool(args: readonly string[], input = ""): Promise<PromtoolResult> {
  const child = spawn("promtool", args, { stdio: ["pipe", "pipe", "pipe"] });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("close", resolve);
    child.once("error", reject);
  });
  child.stdin.end(input);
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { ok: code === 0, output: stdout + stderr };
}
