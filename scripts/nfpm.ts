import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { nfpmPath } from "./provision/cache.ts";

export const PACKAGE_FORMATS = ["deb", "rpm"] as const;
export type PackageFormat = (typeof PACKAGE_FORMATS)[number];

/** Makes a package for hosts of this machine's architecture from `dist` and the Node that runs this; returns its path. */
export function makePackage(format: PackageFormat, directory: string): string {
  mkdirSync(directory, { recursive: true });
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  const ARCH = process.arch === "x64" ? "amd64" : process.arch;
  const env = { ...process.env, ARCH, NODE: process.execPath, VERSION: version };
  const args = ["package", "--config", "packaging/host/nfpm.yaml", "--packager", format, "--target", directory];
  const { status, stdout, stderr, error } = spawnSync(nfpmPath(), args, { encoding: "utf8", env });
  const file = /^created package: (.*)$/m.exec(stdout)?.[1];
  if (error !== undefined || status !== 0 || file === undefined)
    throw new Error(`nfpm made no ${format} package: ${error?.message ?? stdout + stderr}`);
  return file;
}
