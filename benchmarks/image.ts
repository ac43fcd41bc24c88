import { readFileSync } from "node:fs";

/** Returns the options between Node and the bundle in the image's ENTRYPOINT. */
export function imageNodeArgs(): string[] {
  const entrypoint = /^ENTRYPOINT (.*)$/m.exec(readFileSync("Dockerfile", "utf8"))?.[1];
  if (entrypoint === undefined) throw new Error("the Dockerfile has no ENTRYPOINT");
  return (JSON.parse(entrypoint) as string[]).slice(1, -1);
}
