import type { ChildProcess } from "node:child_process";
import type { TestContext } from "node:test";
import { runningProcess, type Variables } from "./command-line.ts";

/** A process that serves its state on its own port. */
export interface Served {
  readonly child: ChildProcess;
  /** Resolves to the answer to a GET. */
  get(path: string): Promise<{ readonly status: number; readonly body: string }>;
  /** Resolves to the value of a metric with these labels; undefined if it is missing. */
  metric(name: string, labels?: string): Promise<number | undefined>;
}

/** Starts a command with `--listen`; resolves when it serves. */
export async function serving(t: TestContext, args: readonly string[], variables: Variables = {}): Promise<Served> {
  let url = "";
  const serves = (line: string): boolean => {
    const [, address] = /"address":"([^"]+)","msg":"serving metrics/.exec(line) ?? [];
    if (address !== undefined) url = `http://${address}`;
    return address !== undefined;
  };
  const child = await runningProcess(t, [...args, "--listen", "127.0.0.1:0"], { test: serves }, variables);
  const get: Served["get"] = async (path) => {
    const answer = await fetch(url + path);
    return { status: answer.status, body: await answer.text() };
  };
  return {
    child,
    get,
    metric: async (name, labels) => {
      const { body } = await get("/metrics");
      const start = `${name}${labels === undefined ? "" : `{${labels}}`} `;
      const line = body.split("\n").find((text) => text.startsWith(start));
      return line === undefined ? undefined : Number(line.slice(start.length));
    },
  };
}
