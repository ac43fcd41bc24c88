import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import path from "node:path";
import { influxd2Path, kernelPath } from "./cache.ts";

/** Debian packages and a program of each, by which it is known to be there. */
const PACKAGES: Readonly<Record<string, string>> = {
  "busybox-static": "busybox",
  cpio: "cpio",
  influxdb: "influxd",
  iproute2: "ip",
  "libvirt-clients": "virsh",
  "libvirt-daemon": "libvirtd",
  "libvirt-daemon-driver-qemu": "/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so",
  "libvirt-daemon-system": "/etc/libvirt/qemu.conf",
  "qemu-system-x86": "qemu-system-x86_64",
  "qemu-utils": "qemu-img",
};

/** Makes the parts that the integration tests need; returns what is missing and cannot be made here. */
export function provision(): readonly string[] {
  if (process.getuid?.() !== 0) return ["root is needed to run libvirt and make tap devices"];
  return [...packages(), ...kernel(), ...influxd2()];
}

function packages(): readonly string[] {
  const absent = Object.entries(PACKAGES).filter(([, program]) => !isThere(program));
  if (absent.length === 0) return [];
  const names = absent.map(([name]) => name);
  if (!isThere("apt-get")) return [`programs of the Debian packages ${names.join(", ")}`];
  console.log(`# installing ${names.join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const apt = (...args: string[]): boolean =>
    spawnSync("apt-get", ["-qq", "-o", "DPkg::Lock::Timeout=300", ...args], {
      stdio: ["ignore", "ignore", "inherit"],
      env,
    }).status === 0;
  if (apt("update") && apt("install", "--yes", "--no-install-recommends", ...names)) return [];
  return [`apt-get could not install ${names.join(", ")}`];
}

function kernel(): readonly string[] {
  if (existsSync(kernelPath())) return [];
  return script("kernel.sh", kernelPath()) ? [] : ["a kernel for the guests (scripts/provision/kernel.sh failed)"];
}

function influxd2(): readonly string[] {
  if (existsSync(influxd2Path())) return [];
  const absent = ["go", "cargo"].filter((tool) => !isThere(tool));
  if (absent.length > 0) return [`${absent.join(" and ")}, to build InfluxDB 2`];
  console.log("# building InfluxDB 2, about ten minutes on two cores; the result is kept");
  return script("influxd2.sh", influxd2Path()) ? [] : ["InfluxDB 2 (scripts/provision/influxd2.sh failed)"];
}

function script(name: string, ...args: string[]): boolean {
  return (
    spawnSync("bash", [path.join(import.meta.dirname, name), ...args], { stdio: ["ignore", "ignore", "inherit"] })
      .status === 0
  );
}

function isThere(program: string): boolean {
  const candidates = program.startsWith("/")
    ? [program]
    : (process.env["PATH"] ?? "").split(":").map((directory) => path.join(directory, program));
  return candidates.some((candidate) => {
    try {
      accessSync(candidate, constants.R_OK);
      return true;
    } catch {
      return false;
    }
  });
}
