import { homedir } from "node:os";
import path from "node:path";

/** Where slow builds are kept, outside the tree and by version. */
function cached(...parts: string[]): string {
  return path.join(process.env["XDG_CACHE_HOME"] ?? path.join(homedir(), ".cache"), "kubevirt-telemetry", ...parts);
}

/** A real InfluxDB OSS 2; the version is that of influxd2.sh. */
export function influxd2Path(): string {
  return cached("influxd-2.7.12", "influxd");
}

/** A kernel for test guests, with its modules in `modules` beside it. */
export function kernelPath(): string {
  return cached("guest-kernel", "vmlinuz");
}
