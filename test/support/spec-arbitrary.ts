import fc from "fast-check";
import { FAMILY_NAMES } from "../../src/contract.ts";

/** Values on, just below and just above every bound of a rule. */
const DURATIONS = "0s 99ms 100ms 999ms 1s 1001ms 5s 59s 1m 4m60s 5m1s 59m60s 1h 1h1ms 23h60m 24h1s 168h 168h1ms".split(
  " ",
);
const duration = fc.constantFrom(...DURATIONS);
const tagKeys = fc.constantFrom("site", "a_b_c", "VMID", "node", "bad-key", "", "errors", "pvc", "used_kb");
const labelKeys = fc.constantFrom("site", "a.b.c", "a/b-c", "a_b_c", "name", "example.com/name", "a__b");

function maybe<Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> {
  return fc.option(value, { nil: undefined });
}

function rarely<Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> {
  return fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });
}

function given(record: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<object> {
  return fc.record(record).map((value) => JSON.parse(JSON.stringify(value)) as object);
}

const tagSources = fc.uniqueArray(given({ key: labelKeys, tag: maybe(fc.constantFrom("site", "device", "own")) }), {
  selector: (source) => (source as { key: string }).key,
  maxLength: 3,
});

const selector = given({
  matchLabels: maybe(fc.constant({ team: "a" })),
  matchExpressions: maybe(
    fc.array(
      given({
        key: labelKeys,
        operator: fc.constantFrom("In", "NotIn", "Exists", "DoesNotExist"),
        values: maybe(fc.subarray(["a", "b"])),
      }),
      { maxLength: 2 },
    ),
  ),
});

const oddUrl = fc
  .tuple(
    fc.constantFrom("http", "https", "https", "HTTP", "ftp", ""),
    fc.constantFrom("://", "://", "://", ":/", ":", "//"),
    fc.constantFrom("", "", "", "user@", "user:word@", "@", "a b@"),
    fc.constantFrom(
      "influx.example.com",
      "localhost",
      "10.0.0.1",
      "[::1]",
      "[::1",
      "",
      "-x",
      "x-",
      "a_b",
      "a b",
      "ä",
      "%41",
    ),
    fc.constantFrom("", "", ":8086", ":65535", ":x", ":"),
    fc.constantFrom("", "", "/", "/a/b", "/a%20b", "/a%zz", "?q=1", "#f", "/x?y#z", "/ä", "/ ", "\\@x", "/\n"),
  )
  .map((parts) => parts.join(""));

/** Mostly valid values: an object with ten faults tests none of them well. */
const url = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("https://influx.example.com", "http://10.0.0.1:8086/prefix") },
  { weight: 1, arbitrary: oddUrl },
);

const families = fc.subarray([...FAMILY_NAMES], { minLength: 1 });

const caRef = maybe(
  given({ configMap: maybe(fc.constant({ name: "ca" })), secret: maybe(fc.constant({ name: "ca" })) }),
);

const header = given({
  name: fc.constantFrom("X-Scope-OrgID", "x-scope-orgid", "Authorization", "Host", "connection", "X-Key"),
  value: maybe(fc.constant("a")),
  valueSecretRef: maybe(fc.constant({ name: "s" })),
});

const tokenSecretRef = rarely(fc.constant({ name: "t" }));

const target = given({
  name: fc.constantFrom("one", "two", "three"),
  url,
  v1: rarely(given({ database: fc.constant("d"), credentialsSecretRef: tokenSecretRef })),
  v2: fc.option(given({ org: fc.constant("o"), bucket: fc.constant("b"), tokenSecretRef }), {
    nil: undefined,
    freq: 2,
  }),
  v3: rarely(given({ database: fc.constant("d"), tokenSecretRef })),
  headers: maybe(fc.array(header, { maxLength: 2 })),
  tls: maybe(given({ mode: maybe(fc.constantFrom("Verify", "Plaintext", "Insecure")), caRef })),
  flush: maybe(given({ interval: maybe(duration) })),
  timeout: maybe(duration),
  families: maybe(families),
  vmSelector: maybe(selector),
});

const schedules = fc.array(given({ families, interval: duration }), { maxLength: 3 });

/** Specs that match the schema and may break some of the rules. */
export const anySpec = given({
  collection: maybe(
    given({
      interval: maybe(duration),
      timeout: maybe(duration),
      families: maybe(families),
      schedules: maybe(schedules),
      raw: maybe(fc.constant({ groups: ["Block"] })),
    }),
  ),
  deviceCache: rarely(given({ ttl: maybe(duration) })),
  tags: maybe(
    given({ static: maybe(fc.dictionary(tagKeys, fc.constant("x"))), vmLabels: tagSources, vmAnnotations: tagSources }),
  ),
  buffer: maybe(given({ maxAge: duration })),
  nodeSelector: maybe(selector),
  vmSelector: maybe(selector),
  targets: fc.array(target, { minLength: 1, maxLength: 2 }),
});
