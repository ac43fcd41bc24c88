// Makes the Debian and RPM packages for KVM hosts in dist/packages.
import { spawnSync } from "node:child_process";
import { makePackage, PACKAGE_FORMATS } from "./nfpm.ts";
import { provision } from "./provision/provision.ts";

const DIRECTORY = "dist/packages";

const missing = (await Promise.all(provision(["scripts/package.ts"]).values())).flat();
if (missing.length > 0) {
  console.error(`no packages: this needs ${missing.join(" and ")}`);
  process.exit(1);
}
const { status } = spawnSync(process.execPath, ["scripts/build.ts"], { stdio: "inherit" });
if (status !== 0) process.exit(1);
for (const format of PACKAGE_FORMATS) console.log(makePackage(format, DIRECTORY));
