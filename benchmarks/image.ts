import { readFileSync } from "node:fs";
import path from "node:path";

/** Returns the options between Node and the bundle in the ENTRYPOINT of the image of a checkout. */
export function imageNodeArgs(checkout = "."): string[] {
  const entrypoint = /^ENTRYPOINT (.*)$/m.exec(readFileSync(path.join(checkout, "Dockerfile"), "utf8"))?.[1];
  if (entrypoint === undefined) throw new Error("the Dockerfile has no ENTRYPOINT");
  return (JSON.parse(entrypoint) as string[]).slice(1, -1);
}
