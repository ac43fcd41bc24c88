import { readFileSync } from "node:fs";
import path from "node:path";

/** Returns the options between Node and the bundle in the ENTRYPOINT of the image of a checkout. */
export function imageNodeArgs(checkout = "."): string[] {
  const entrypoint = /^ENTRYPOINT (.*)$/m.exec(dockerfile(checkout))?.[1];
  if (entrypoint === undefined) throw new Error("the Dockerfile has no ENTRYPOINT");
  return (JSON.parse(entrypoint) as string[]).slice(1, -1);
}

/** Returns the environment variables of the image of a checkout. */
export function imageEnv(checkout = "."): Record<string, string> {
  const variables = dockerfile(checkout).matchAll(/^ENV (\w+)=(\S+)$/gm);
  return Object.fromEntries([...variables].map(([, name = "", value = ""]) => [name, value]));
}

function dockerfile(checkout: string): string {
  return readFileSync(path.join(checkout, "Dockerfile"), "utf8");
}
