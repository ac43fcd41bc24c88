import type { Static } from "typebox";
import * as Type from "typebox";
import { DEFAULT_FAMILIES, FRESHNESS, RAW_GROUP_NAMES } from "../contract.ts";
import { formatDuration } from "../lib/duration.ts";
import { choice, keyedList, list, set } from "../lib/schema-types.ts";
import { DEFAULT_CONCURRENT_ENDPOINTS, DEFAULT_DEVICE_CACHE_MS } from "./defaults.ts";
import {
  text,
  name,
  dataKey,
  duration,
  integer,
  map,
  labelSelector,
  namespaces,
  defaultedFamilies,
  families,
  headers,
  tagSources,
  secretKeyRef,
  objectKeyRef,
  DNS_LABEL,
  TAG_KEY,
  PREFIX,
} from "./schema-parts.ts";

/*
 * The schema of TelemetryConfig, the one source of its validation, its TypeScript types, its reference page and its CRD.
 * It uses only what a structural CRD schema allows. A property with a default is optional in the input and always present
 * after parsing; the types below describe a parsed object.
 */

/** The API of this project's kinds. */
export const API = { group: "kubevirt-telemetry.io", version: "v1alpha1" } as const;
export const API_VERSION = `${API.group}/${API.version}` as const;
export const KIND = "TelemetryConfig";

const tls = Type.Object(
  {
    mode: choice(
      ["Verify", "Plaintext", "Insecure"],
      "Verify: https with a trusted certificate. Plaintext: plain http. Insecure: https without checking the certificate.",
      "Verify",
    ),
    caRef: Type.Optional(
      Type.Object(
        { configMap: Type.Optional(objectKeyRef("ConfigMap")), secret: Type.Optional(objectKeyRef("Secret")) },
        { description: "Certificate authority of the target. If not given, those of the system are trusted." },
      ),
    ),
    clientCertSecretRef: Type.Optional(
      Type.Object({ name: name("Secret with the keys tls.crt and tls.key.") }, { description: "Client certificate." }),
    ),
    serverName: Type.Optional(
      text({ description: "Name that the certificate must have, instead of the URL's host.", maxLength: 253 }),
    ),
  },
  { description: "Transport security.", default: {} },
);

const target = Type.Object({
  name: text({ description: "Name in logs, metrics and status.", maxLength: 63, pattern: DNS_LABEL }),
  url: text({ description: "Base URL: scheme, host, port and path prefix.", maxLength: 2048 }),
  v1: Type.Optional(
    Type.Object(
      {
        database: text({ description: "Database." }),
        retentionPolicy: Type.Optional(
          text({ description: "Retention policy. If not given, the database's default." }),
        ),
        credentialsSecretRef: Type.Optional(
          Type.Object(
            {
              name: name("Secret in the agent's own namespace."),
              usernameKey: dataKey("Key of the user name.", "username"),
              passwordKey: dataKey("Key of the password.", "password"),
            },
            { description: "User and password. If not given, none are sent." },
          ),
        ),
      },
      { description: "InfluxDB 1: the /write API." },
    ),
  ),
  v2: Type.Optional(
    Type.Object(
      {
        org: text({ description: "Organization." }),
        bucket: text({ description: "Bucket." }),
        tokenSecretRef: Type.Optional(secretKeyRef("Token. If not given, none is sent.")),
      },
      { description: "InfluxDB 2: the /api/v2/write API." },
    ),
  ),
  v3: Type.Optional(
    Type.Object(
      {
        database: text({ description: "Database." }),
        tokenSecretRef: Type.Optional(secretKeyRef("Token. If not given, none is sent.")),
        api: choice(
          ["Native", "V2Compatible"],
          "Native: /api/v3/write_lp. V2Compatible: /api/v2/write, for the cloud editions.",
          "Native",
        ),
      },
      { description: "InfluxDB 3." },
    ),
  ),
  tls,
  headers: headers("Headers of every request, such as the tenant for a gateway."),
  flush: Type.Object(
    {
      interval: duration({ description: "Longest time that lines are held back to share a request.", default: "1s" }),
      maxLines: integer("Most lines in one request.", 5000, 1, 100_000),
      maxKiB: integer("Largest size of one request before compression, in KiB.", 2048, 16, 65_536),
    },
    { description: "When a request is sent, and its size.", default: {} },
  ),
  timeout: duration({
    description: "Time limit of one request, from the connection to the end of the answer.",
    default: "10s",
  }),
  gzip: Type.Boolean({
    description: "Whether bodies are compressed. A target that answers 415 gets plain ones in any case.",
    default: true,
  }),
  maxDrainLinesPerSecond: integer(
    "Limit for sending a backlog, in lines per second. 0: three times the live rate, at least 1000.",
    0,
    0,
    10_000_000,
  ),
  vmSelector: Type.Optional(labelSelector("Only VMIs with these labels.")),
  namespaces: Type.Optional(namespaces("Only VMIs of these namespaces.")),
  families: Type.Optional(families("Only these of the collected families.")),
});

export const SPEC_SCHEMA = Type.Object({
  priority: integer("Of the objects that select a node, the one with the highest priority governs it.", 0, -1000, 1000),
  state: choice(["Active", "Suspended"], "Suspended: the object governs no node.", "Active"),
  nodeSelector: Type.Optional(labelSelector("Nodes that this object may govern. If not given, all.")),
  namespaces: Type.Optional(namespaces("Namespaces whose VMIs are collected. If not given, all.")),
  vmSelector: Type.Optional(labelSelector("VMIs to collect, by label. If not given, all.")),
  collection: Type.Object(
    {
      interval: duration({ description: "Time between two samples.", default: "5s" }),
      timeout: Type.Optional(
        duration({
          description: "Time limit of one cycle of one libvirt daemon. If not given, 80 % of the interval, at most 8s.",
        }),
      ),
      families: defaultedFamilies("Families to collect.", DEFAULT_FAMILIES),
      schedules: Type.Optional(
        list(
          Type.Object({
            families: families("Families with this interval."),
            interval: duration({ description: "Time between two lines: a whole multiple of collection.interval." }),
          }),
          {
            description:
              "Families that are not collected in every cycle. If not given, Vcpus every 30s and Info every 5m, or the next multiple of collection.interval.",
            maxItems: 16,
          },
        ),
      ),
      raw: Type.Optional(
        Type.Object(
          {
            groups: set(choice(RAW_GROUP_NAMES, "Group."), {
              description: "Groups of libvirt's statistics. The agent requests them for this family.",
              minItems: 1,
              maxItems: 16,
            }),
          },
          { description: "What the family Raw writes: the parameters of these groups that no other family has." },
        ),
      ),
      onMissing: choice(
        ["Zero", "Omit"],
        "A value that libvirt does not report. Zero: written as 0. Omit: the field is left out.",
        "Zero",
      ),
      freshness: choice(
        FRESHNESS,
        "EveryCycle: every value is read in every cycle. GuestPeriod: the memory of the guest and of QEMU, and user and system CPU time in a virt-launcher, are read once in the period at which the guest sends its values, 10 seconds in KubeVirt, and the last ones are written in between.",
        "EveryCycle",
      ),
      maxConcurrentEndpoints: integer(
        "Most libvirt daemons that are read at the same time.",
        DEFAULT_CONCURRENT_ENDPOINTS,
        1,
        256,
      ),
    },
    { description: "What is collected, and how often.", default: {} },
  ),
  deviceCache: Type.Object(
    {
      ttl: duration({
        description: "How long the devices of a domain are cached; at least one collection.interval.",
        default: formatDuration(DEFAULT_DEVICE_CACHE_MS),
      }),
    },
    { description: "Cache of the domains' devices.", default: {} },
  ),
  tags: Type.Object(
    {
      static: map({
        description: "Tags for every line.",
        maxProperties: 16,
        valueMaxLength: 256,
        keyPattern: TAG_KEY,
      }),
      vmLabels: tagSources("label"),
      vmAnnotations: tagSources("annotation"),
    },
    { description: "Additional tags.", default: {} },
  ),
  measurementPrefix: Type.String({
    description: "Prefix of every measurement name.",
    default: "",
    maxLength: 32,
    pattern: PREFIX,
  }),
  buffer: Type.Object(
    {
      maxMiB: integer(
        "Largest size of the queued lines, compressed, in MiB. Above it, the oldest are dropped.",
        512,
        16,
        65_536,
      ),
      maxAge: duration({ description: "Longest time that a line is queued. Older lines are dropped.", default: "24h" }),
    },
    { description: "Queue between collection and delivery.", default: {} },
  ),
  targets: keyedList("name", target, { description: "Where lines are sent.", minItems: 1, maxItems: 8 }),
});

export type TelemetrySpec = Static<typeof SPEC_SCHEMA>;
export type TargetSpec = TelemetrySpec["targets"][number];
export type LabelSelector = Static<ReturnType<typeof labelSelector>>;
export type NamespaceFilter = Static<ReturnType<typeof namespaces>>;

/** The whole object in a file. Other metadata belongs to Kubernetes and is not checked. */
export const OBJECT_SCHEMA = Type.Object({
  apiVersion: Type.Unsafe<typeof API_VERSION>({ type: "string", enum: [API_VERSION] }),
  kind: Type.Unsafe<typeof KIND>({ type: "string", enum: [KIND] }),
  metadata: Type.Object({ name: name("Name of the object.") }, { additionalProperties: true }),
  spec: SPEC_SCHEMA,
});

export interface TelemetryConfig {
  readonly metadata: { readonly name: string };
  readonly spec: TelemetrySpec;
}
