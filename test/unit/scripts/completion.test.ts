import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

const SCRIPT = "packaging/host/completion.bash";

/** Words on the command line, the last one unfinished -> some of what bash offers. */
const CASES: readonly (readonly [words: readonly string[], offered: readonly string[]])[] = [
  [["sp"], ["spool"]],
  [[""], ["agent", "validate", "--version"]],
  [
    ["spool", ""],
    ["inspect", "verify", "export"],
  ],
  [
    ["spool", "export", "--"],
    ["--target", "--help"],
  ],
  [["agent", "--pri"], ["--print"]],
  [["agent", "--once", "--log-level", "w"], ["warn"]],
  [["agent", "--config", "validate", "--sec"], ["--secrets-dir"]],
  [
    ["top", "--sort", ""],
    ["cpu", "memory"],
  ],
  [["validate", "config"], []],
];

for (const [words, offered] of CASES)
  test(`bash completes: ${words.join(" ")}`, () => {
    const script = `source ${SCRIPT}; COMP_WORDS=("$0" "$@"); COMP_CWORD=$#; _kubevirt_telemetry; echo "\${COMPREPLY[@]}"`;
    const answer = execFileSync("bash", ["-c", script, "kubevirt-telemetry", ...words], { encoding: "utf8" }).trim();
    const replies = answer.split(" ").filter(Boolean);
    assert.deepEqual(
      offered.filter((word) => !replies.includes(word)),
      [],
    );
    const [last = ""] = words.slice(-1);
    assert.deepEqual(
      replies.filter((reply) => !reply.startsWith(last)),
      [],
    );
  });
