import { readFileSync } from "node:fs";

declare const BUNDLED_VERSION: string | undefined;

/** The version of package.json. The build writes it into the bundle. */
export const VERSION: string = typeof BUNDLED_VERSION === "string" ? BUNDLED_VERSION : packageVersion();

function packageVersion(): string {
  const parsed: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return (parsed as { version: string }).version;
}
