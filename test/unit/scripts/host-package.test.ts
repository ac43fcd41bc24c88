import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";

interface Package {
  readonly overrides: Readonly<Record<"deb" | "rpm", { readonly depends: readonly string[] }>>;
}

test("the packages depend on a systemd that knows the settings of the service", () => {
  const service = readFileSync("packaging/host/kubevirt-telemetry.service", "utf8");
  // Both are new in 251: see systemd's NEWS. An older one ignores the ExecStart= line, so the service does not start.
  assert.match(service, /^ExecStart=.* %d\//m);
  assert.match(service, /^LoadCredential=secrets:\/etc\/kubevirt-telemetry\/secrets$/m);
  const { overrides } = parse(readFileSync("packaging/host/nfpm.yaml", "utf8")) as Package;
  assert.ok(overrides.deb.depends.includes("systemd (>= 251)"), "deb");
  assert.ok(overrides.rpm.depends.includes("systemd >= 251"), "rpm");
});

test("the program of the packages has the options of the image", () => {
  const script = readFileSync("packaging/host/kubevirt-telemetry.sh", "utf8");
  const image = readFileSync("Dockerfile", "utf8");
  const [, json = ""] = /^ENTRYPOINT (.*)$/m.exec(image) ?? [];
  const options = (JSON.parse(json) as readonly string[]).filter((word) => word.startsWith("--"));
  assert.ok(options.length > 0);
  for (const option of options) assert.ok(script.includes(` ${option} `), option);
  const [, arenas = ""] = /^ENV (MALLOC_ARENA_MAX=\d+)$/m.exec(image) ?? [];
  assert.notEqual(arenas, "");
  assert.match(script, new RegExp(`^export ${arenas}$`, "m"));
});
