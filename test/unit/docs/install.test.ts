import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { docBlocks } from "../../support/docs.ts";

const PAGE = readFileSync("docs/install-host.md", "utf8");

/** Returns the words after `agent` of the command that a container runs. */
function argsOf(pattern: RegExp): readonly string[] {
  const [, args = ""] = pattern.exec(PAGE.replaceAll("\\\n", " ")) ?? [];
  return args.trim().split(/\s+/);
}

test("the install page installs the chart once, after the namespace is created", () => {
  const commands = docBlocks("docs/install.md").map(({ text }) => text);
  const installing = commands.flatMap((text, index) => (text.includes("helm install ") ? [index] : []));
  const creating = commands.findIndex((text) => text.includes("create namespace"));
  assert.deepEqual([installing.length, creating < (installing[0] ?? -1)], [1, true]);
});

test("the agent in a container has the name of its host, by docker and by a quadlet", () => {
  const docker = argsOf(/ agent (--node-name .*)/);
  const quadlet = argsOf(/^Exec=agent (.*)/m);
  assert.deepEqual(docker.slice(0, 2), ["--node-name", '"$(hostname)"']);
  assert.deepEqual(quadlet.slice(0, 2), ["--node-name", "%H"]);
  assert.deepEqual(docker.slice(2), quadlet.slice(2));
});

test("the image and the packages are where the steps before make them", () => {
  const [built] = /--tag (\S+) \.$/m.exec(readFileSync("docs/install.md", "utf8"))?.slice(1) ?? [];
  const images = PAGE.match(/[\w./]*kubevirt-telemetry:\d\S+/g) ?? [];
  assert.deepEqual([...new Set(images)], [built]);
  const [, directory = "?"] = /npm run package +# (\S+):/.exec(PAGE) ?? [];
  for (const [, path] of PAGE.matchAll(/(?:apt|dnf) install (\S+)/g))
    assert.match(path ?? "", new RegExp(`^./${directory}/`));
});
