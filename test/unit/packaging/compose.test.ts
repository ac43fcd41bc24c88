import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { commandLine } from "../../../src/command-line.ts";
import { parseConfig } from "../../../src/config/parse.ts";

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly configs?: readonly { readonly source: string; readonly target: string }[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly [field: string]: unknown;
}

interface Compose {
  readonly services: Readonly<Record<"simulator" | "agent" | "influxdb" | "grafana", Service>>;
  readonly configs: Readonly<Record<string, { readonly content: string }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** Fields of the Compose specification that the file may use. */
const FIELDS = [
  ...["build", "cap_drop", "command", "configs", "depends_on", "environment", "healthcheck", "image", "ports"],
  ...["security_opt", "user", "volumes"],
];

function read(file: string): unknown {
  return parse(readFileSync(file, "utf8"), { merge: true });
}

const compose = read("compose.yaml") as Compose;
const { agent, simulator, influxdb, grafana } = compose.services;

/** Returns source and target of the mounts of a service, with the default of a variable. */
function mounts({ volumes = [] }: Service): { readonly source: string; readonly target: string }[] {
  return volumes.map((volume) => {
    const [source = "", target = ""] = volume.replace(/\$\{\w+:-([^}]*)\}/g, "$1").split(":");
    return { source, target };
  });
}

/** Returns the file of the checkout that a service sees at a path. */
function fileAt(service: Service, target: string): string {
  const mount = mounts(service).find((one) => target === one.target || target.startsWith(`${one.target}/`));
  assert.ok(mount, `no mount for ${target}`);
  return path.join(mount.source, target.slice(mount.target.length));
}

test("the services have only fields of the Compose specification, and images of one version", () => {
  for (const [name, service] of Object.entries(compose.services)) {
    assert.deepEqual(
      Object.keys(service).filter((field) => !FIELDS.includes(field)),
      [],
      name,
    );
    assert.match(service.image, /:(trial|\d+\.\d+\.\d+)$/, name);
    for (const other of Object.keys(service.depends_on ?? {})) assert.ok(other in compose.services, other);
    for (const { source } of service.configs ?? []) assert.ok(source in compose.configs, source);
  }
  assert.ok(existsSync(path.join(agent.build ?? "", "Dockerfile")));
});

test("each mounted file of the checkout exists, and each other mount is a volume", () => {
  const all = Object.values(compose.services).flatMap(mounts);
  assert.ok(all.length >= 6);
  for (const { source } of all)
    assert.ok(source.startsWith("./") ? existsSync(source) : source in compose.volumes, source);
});

test("the ports are open on this machine only", () => {
  const ports = Object.values(compose.services).flatMap(({ ports = [] }) => ports);
  assert.equal(ports.length, 3);
  for (const port of ports) assert.match(port, /^127\.0\.0\.1:(\d+):\1$/);
});

test("the commands of the agent and the simulator have existing options", () => {
  const program = commandLine(
    { stdout: process.stdout, stderr: process.stderr, stdin: process.stdin },
    new AbortController().signal,
    () => undefined,
  );
  for (const [name = "", ...words] of [agent.command ?? [], simulator.command ?? []]) {
    const command = program.commands.find((one) => one.name() === name);
    assert.ok(command, name);
    for (const word of words.filter((word) => word.startsWith("--"))) {
      const [flag] = word.split("=");
      assert.ok(
        command.options.some(({ long }) => long === flag),
        `${name} ${word}`,
      );
    }
  }
});

test("the agent's configuration is valid and names the database that compose.yaml creates", () => {
  const { config, faults } = parseConfig(readFileSync("packaging/compose/config.yaml", "utf8"));
  assert.deepEqual(faults, undefined);
  const { DOCKER_INFLUXDB_INIT_ORG: org, DOCKER_INFLUXDB_INIT_BUCKET: bucket } = influxdb.environment ?? {};
  const [target] = config.spec.targets;
  assert.equal(target?.url, "http://influxdb:8086");
  assert.deepEqual(target.v2, { org, bucket, tokenSecretRef: { name: "influxdb", key: "token" } });
  assert.equal(agent.configs?.[0]?.target, "/run/kubevirt-telemetry/secrets/influxdb/token");
});

test("InfluxDB, the agent and Grafana have the same token", () => {
  const token = influxdb.environment?.["DOCKER_INFLUXDB_INIT_ADMIN_TOKEN"];
  assert.ok(token);
  assert.equal(grafana.environment?.["INFLUXDB_TOKEN"], token);
  assert.equal(compose.configs["token"]?.content, token);
});

test("the simulator creates its socket where the agent looks for one", () => {
  const socket = "/run/libvirt/libvirt-sock-ro";
  assert.ok(simulator.command?.includes(socket));
  assert.ok(agent.command?.includes(`--libvirt-socket=${socket}`));
  assert.equal(fileAt(agent, socket), fileAt(simulator, socket));
});

test("Grafana gets the data source of the database, for the language of the dashboards", () => {
  const file = fileAt(grafana, "/etc/grafana/provisioning/datasources/influxdb.yaml");
  const { apiVersion, datasources } = read(file) as { apiVersion: number; datasources: Record<string, unknown>[] };
  const { DOCKER_INFLUXDB_INIT_ORG: organization, DOCKER_INFLUXDB_INIT_BUCKET: defaultBucket } =
    influxdb.environment ?? {};
  assert.equal(apiVersion, 1);
  assert.equal(datasources.length, 1);
  assert.equal(datasources[0]?.["type"], "influxdb");
  assert.equal(datasources[0]["url"], "http://influxdb:8086");
  assert.deepEqual(datasources[0]["jsonData"], { version: "Flux", organization, defaultBucket });
  assert.deepEqual(datasources[0]["secureJsonData"], { token: "$INFLUXDB_TOKEN" });
});

test("Grafana gets a directory of dashboards in that language, and starts with one of them", () => {
  const file = fileAt(grafana, "/etc/grafana/provisioning/dashboards/kubevirt-telemetry.yaml");
  const { providers } = read(file) as { providers: { type: string; options: { path: string } }[] };
  assert.deepEqual(
    providers.map(({ type }) => type),
    ["file"],
  );
  const directory = fileAt(grafana, providers[0]?.options.path ?? "");
  assert.deepEqual(globSync("*.json", { cwd: directory }).sort(), ["fleet.json", "node.json", "vm.json"]);
  for (const name of globSync(`${directory}/*.json`)) assert.match(readFileSync(name, "utf8"), /from\(bucket:/, name);
  const home = fileAt(grafana, grafana.environment?.["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] ?? "");
  assert.ok(statSync(home).isFile());
});
