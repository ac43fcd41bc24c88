import type { Static } from "typebox";
import * as Type from "typebox";
import { DEFAULT_FAMILIES } from "../contract.ts";
import {
  text,
  name,
  dataKey,
  duration,
  integer,
  choice,
  keyedList,
  map,
  labelSelector,
  namespaces,
  defaultedFamilies,
  families,
  tagSources,
  secretKeyRef,
  objectKeyRef,
  DNS_LABEL,
  TAG_KEY,
  PREFIX,
} from "./schema-parts.ts";

/**
 * The schema of TelemetryConfig, the one source of its validation, its TypeScript types, its reference page and its CRD.
 * It uses only what a structural CRD schema allows. A property with a default need not be given and is always there
 * after parsing; so the types below say what a parsed object holds.
 */
export const API_VERSION = "kubevirt-telemetry.io/v1alpha1";
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
        { description: "Where the certificate authority of the target is; the system's are trusted if not given." },
      ),
    ),
    clientCertSecretRef: Type.Optional(
      Type.Object({ name: name("Secret with the keys tls.crt and tls.key.") }, { description: "Client certificate." }),
    ),
    serverName: Type.Optional(
      text({ description: "Name to expect in the certificate instead of the URL's host.", maxLength: 253 }),
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
        retentionPolicy: Type.Optional(text({ description: "Retention policy; the database's default if not given." })),
        credentialsSecretRef: Type.Optional(
          Type.Object(
            {
              name: name("Secret in the agent's own namespace."),
              usernameKey: dataKey("Key of the user name.", "username"),
              passwordKey: dataKey("Key of the password.", "password"),
            },
            { description: "User and password; none are sent if not given." },
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
        tokenSecretRef: Type.Optional(secretKeyRef("Token; none is sent if not given.")),
      },
      { description: "InfluxDB 2: the /api/v2/write API." },
    ),
  ),
  v3: Type.Optional(
    Type.Object(
      {
        database: text({ description: "Database." }),
        tokenSecretRef: Type.Optional(secretKeyRef("Token; none is sent if not given.")),
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
  flush: Type.Object(
    {
      interval: duration({ description: "How long lines wait for others to share a request.", default: "1s" }),
      maxLines: integer("Lines in one request.", 5000, 1, 100_000),
      maxKiB: integer("Size of one request before compression, in KiB.", 2048, 16, 65_536),
    },
    { description: "When a request is sent.", default: {} },
  ),
  timeout: duration({ description: "Time for one request in all.", default: "10s" }),
  maxDrainLinesPerSecond: integer(
    "Speed at which a backlog is sent, in lines per second; 0 for three times the live rate.",
    0,
    0,
    10_000_000,
  ),
  vmSelector: Type.Optional(labelSelector("Only VMIs with these labels.")),
  namespaces: Type.Optional(namespaces("Only VMIs of these namespaces.")),
  families: Type.Optional(families("Only these of the collected families.")),
});

export const SPEC_SCHEMA = Type.Object({
  priority: integer("The object with the highest priority governs a node.", 0, -1000, 1000),
  state: choice(["Active", "Suspended"], "Suspended: nothing is collected.", "Active"),
  nodeSelector: Type.Optional(labelSelector("Nodes that this object may govern; all if not given.")),
  namespaces: Type.Optional(namespaces("Namespaces whose VMIs are collected; all if not given.")),
  vmSelector: Type.Optional(labelSelector("VMIs that are collected, by label; all if not given.")),
  collection: Type.Object(
    {
      interval: duration({ description: "Time between two samples.", default: "5s" }),
      timeout: Type.Optional(
        duration({
          description: "Time for one cycle of one libvirt daemon; 80 % of the interval, at most 8s, if not given.",
        }),
      ),
      families: defaultedFamilies("Families that are collected.", DEFAULT_FAMILIES),
      onMissing: choice(
        ["Zero", "Omit"],
        "What becomes of a value that libvirt does not report: 0, or no field.",
        "Zero",
      ),
      maxConcurrentEndpoints: integer("Libvirt daemons that are asked at the same time.", 16, 1, 256),
    },
    { description: "What is collected, and how often.", default: {} },
  ),
  deviceCache: Type.Object(
    { ttl: duration({ description: "How long the devices of a domain are remembered.", default: "5m" }) },
    { description: "Cache of the domains' devices.", default: {} },
  ),
  tags: Type.Object(
    {
      static: map({
        description: "Tags that every line gets.",
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
    description: "Put before every measurement name.",
    default: "",
    maxLength: 32,
    pattern: PREFIX,
  }),
  buffer: Type.Object(
    {
      maxMiB: integer(
        "Compressed lines that wait for their targets at most, in MiB; the oldest give way.",
        512,
        16,
        65_536,
      ),
      maxAge: duration({ description: "How long a line waits at most.", default: "24h" }),
    },
    { description: "Buffer between collection and delivery.", default: {} },
  ),
  targets: keyedList("name", target, { description: "Where lines are delivered.", minItems: 1, maxItems: 8 }),
});

export type TelemetrySpec = Static<typeof SPEC_SCHEMA>;
export type TargetSpec = TelemetrySpec["targets"][number];
export type LabelSelector = Static<ReturnType<typeof labelSelector>>;
export type NamespaceFilter = Static<ReturnType<typeof namespaces>>;

/** The whole object in a file. Other metadata is Kubernetes' business. */
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
