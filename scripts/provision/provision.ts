import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import path from "node:path";
import {
  containerdPath,
  datafusionPath,
  debianRootPath,
  influxd2Path,
  kernelPath,
  kubeRouterPath,
  KUBERNETES_PROGRAMS,
  kubernetesDirectory,
  kubernetesPath,
  type KubernetesProgram,
  NODE_PROGRAMS,
  nfpmPath,
  questdbPath,
  telegrafPath,
  victoriaMetricsPath,
} from "./cache.ts";
import { succeeds } from "../succeeds.ts";
import { importsOf } from "./imports.ts";

interface Part {
  /** Debian package -> a program or file that shows that it is installed. */
  readonly packages?: Readonly<Record<string, string>>;
  /** Makes things that no package contains; returns those that cannot be made here. */
  readonly make?: () => readonly string[] | Promise<readonly string[]>;
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

/** File -> its prerequisites, slow builds last. A test, benchmark or script that imports the file, directly or not, needs them too. */
const PARTS: Readonly<Record<string, Part>> = {
  "benchmarks/python.ts": { packages: { "python3-libvirt": "/usr/lib/python3/dist-packages/libvirt.py" } },
  "scripts/nfpm.ts": { make: () => made("nfpm") },
  "scripts/helm.ts": { make: () => programs(["helm"]) },
  "test/integration/support/chromium.ts": { packages: { chromium: "chromium" } },
  "test/integration/support/datafusion.ts": {
    packages: { python3: "python3", "python3-pip": "pip3" },
    make: () => made("datafusion"),
  },
  "test/integration/support/debian-host.ts": {
    packages: {
      debootstrap: "debootstrap",
      rpm: "rpm",
      systemd: "systemd-analyze",
      "systemd-container": "systemd-nspawn",
    },
    make: async () => [...root(), ...(await made("debian-root"))],
  },
  "test/integration/support/image.ts": { packages: { buildah: "buildah" }, make: root },
  "test/integration/support/influxd1.ts": { packages: { influxdb: "influxd" } },
  "test/integration/support/launcher.ts": LIBVIRT,
  "test/integration/support/libvirt-host.ts": LIBVIRT,
  "test/integration/support/prometheus.ts": { packages: { prometheus: "prometheus" } },
  "test/integration/support/promtool.ts": { packages: { prometheus: "promtool" } },
  "test/integration/support/questdb.ts": {
    packages: { "default-jre-headless": "java", maven: "mvn" },
    make: () => made("questdb"),
  },
  "test/integration/support/terminal.ts": { packages: { python3: "python3" } },
  "test/integration/support/working-guest.ts": {
    packages: { "busybox-static": "busybox", cpio: "cpio" },
    make: () => made("kernel"),
  },
  "benchmarks/telegraf.ts": { make: () => made("telegraf") },
  "test/integration/support/telegraf-listener.ts": { make: () => made("telegraf") },
  "test/integration/support/victoria-metrics.ts": {
    packages: { "victoria-metrics": "victoria-metrics" },
    make: () => made("victoria-metrics"),
  },
  "test/integration/support/kube.ts": { make: kubernetes },
  "test/integration/support/node/kube-node.ts": {
    packages: {
      "busybox-static": "busybox",
      iproute2: "ip",
      libseccomp2: `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu/libseccomp.so.2`,
    },
    make: node,
  },
  "test/integration/support/node/launcher-image.ts": LIBVIRT,
  "test/integration/support/node/network-policies.ts": {
    packages: { ipset: "ipset", iptables: "iptables" },
    make: () => made("kube-router"),
  },
  "test/integration/support/influxd2.ts": { make: () => made("influxd2") },
};

/**
 * Installs the prerequisites of files. Resolves for each file to the prerequisites that are not available here, so that a machine
 * without one of them still runs the other tests. Packages are installed before this returns. The rest is made in the background,
 * one after the other, the fastest first, so that tests can run meanwhile.
 */
export function provision(files: readonly string[]): ReadonlyMap<string, Promise<readonly string[]>> {
  const needed = new Map(
    files.map((file) => {
      const imports = importsOf(file);
      return [file, Object.keys(PARTS).filter((part) => imports.has(part))];
    }),
  );
  const wanted = new Set([...needed.values()].flat());
  const names = Object.keys(PARTS).filter((name) => wanted.has(name));
  install(Object.fromEntries(names.flatMap((name) => absentPackages(PARTS[name]))));
  const missing = new Map<string, Promise<readonly string[]>>();
  let previous: Promise<unknown> = Promise.resolve();
  for (const name of names) {
    const made = previous.then(() => make(PARTS[name]));
    missing.set(name, made);
    previous = made;
  }
  return new Map(
    [...needed].map(([file, parts]) => [
      file,
      Promise.all(parts.map(async (part) => (await missing.get(part)) ?? [])).then((all) => all.flat()),
    ]),
  );
}

async function make(part: Part | undefined): Promise<readonly string[]> {
  const packages = absentPackages(part).map(([name]) => `the Debian package ${name}`);
  return [...packages, ...((await part?.make?.()) ?? [])];
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
  return isRoot() ? [] : ["root, for libvirt, network devices and namespaces"];
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

interface Build {
  readonly what: string;
  readonly target: string;
  /** Programs that the script needs. */
  readonly tools?: readonly string[];
  /** Said before a script that takes long. */
  readonly verb?: "build" | "fetch";
  readonly cost?: string;
}

/** Name of a script of this folder -> what it makes. */
const BUILDS = {
  containerd: { what: "containerd", target: containerdPath() },
  datafusion: { what: "DataFusion", target: datafusionPath(), verb: "fetch", cost: "90 MB" },
  "debian-root": { what: "a Debian for packages", target: debianRootPath(), verb: "fetch", cost: "80 MB" },
  influxd2: build("InfluxDB 2", influxd2Path(), ["go", "cargo"], "about ten minutes"),
  kernel: { what: "a kernel for the guests", target: kernelPath() },
  "kube-router": build("kube-router", kubeRouterPath(), ["go"], "about two minutes"),
  nfpm: build("nFPM", nfpmPath(), ["go"], "about half a minute"),
  questdb: { what: "QuestDB", target: questdbPath(), tools: ["mvn"], verb: "fetch", cost: "30 MB" },
  telegraf: build("Telegraf", telegrafPath(), ["go"], "about a minute"),
  "victoria-metrics": build("VictoriaMetrics", victoriaMetricsPath(), ["go"], "about a minute"),
} satisfies Readonly<Record<string, Build>>;

function build(what: string, target: string, tools: readonly string[], time: string): Build {
  return { what, target, tools, verb: "build", cost: `${time} on two cores` };
}

/** Makes something if it is not there. Resolves to what is missing afterwards. */
async function made(name: keyof typeof BUILDS): Promise<readonly string[]> {
  const { what, target, tools = [], verb, cost = "" }: Build = BUILDS[name];
  if (existsSync(target)) return [];
  const absent = tools.filter((tool) => !isThere(tool));
  if (absent.length > 0) return [`${absent.join(" and ")}, to ${verb ?? "make"} ${what}`];
  if (verb !== undefined) console.log(`# ${verb}ing ${what}, ${cost}; the result is kept`);
  return (await script(`${name}.sh`, target)) ? [] : [`${what} (scripts/provision/${name}.sh failed)`];
}

async function kubernetes(): Promise<readonly string[]> {
  const certificates = isThere("openssl") ? [] : ["openssl, for the certificates of Kubernetes"];
  return [...certificates, ...(await programs(KUBERNETES_PROGRAMS))];
}

async function node(): Promise<readonly string[]> {
  return [...root(), ...(await programs(NODE_PROGRAMS)), ...(await made("containerd"))];
}

async function programs(wanted: readonly KubernetesProgram[]): Promise<readonly string[]> {
  const absent = wanted.filter((program) => !existsSync(kubernetesPath(program)));
  if (absent.length === 0) return [];
  const builds = absent.some((program) => program !== "kubectl" && program !== "helm");
  const tools = [...(builds ? ["go"] : []), "npm", "python3"].filter((tool) => !isThere(tool));
  if (tools.length > 0) return [`${tools.join(" and ")}, for ${absent.join(", ")}`];
  const patience = builds ? ", about ten minutes on two cores; the result is kept" : "";
  console.log(`# making ${absent.join(", ")}${patience}`);
  return (await script("kubernetes.sh", kubernetesDirectory(), ...absent))
    ? []
    : [`${absent.join(", ")} (scripts/provision/kubernetes.sh failed)`];
}

/** Runs a script of this folder. Builds yield to the tests that run meanwhile. */
function script(name: string, ...args: string[]): Promise<boolean> {
  const command = ["bash", path.join(import.meta.dirname, name), ...args];
  return succeeds(spawn("nice", command, { stdio: ["ignore", "ignore", "inherit"] }));
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
