import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { assertUsage, run, type Variables } from "../support/command-line.ts";

const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  agent: [
    "--config",
    "--once",
    "--cycles",
    "--print",
    "--node-name",
    "--pods-dir",
    "--libvirt-socket",
    "--launcher-limit",
    "--spool-dir",
    "--secrets-dir",
    "--listen",
    "--allowed-host",
    "--vm-metrics",
    "--log-level",
    "--log-format",
  ],
  controller: ["--namespace", "--identity", "--listen", "--allowed-host", "--log-level", "--log-format"],
  validate: ["<files...>", "--cluster", "--output"],
  simulate: ["--socket", "--domains", "--nics", "--disks", "--seed"],
  top: ["--pods-dir", "--libvirt-socket", "--sort", "--families", "--interval", "--once"],
  spool: [],
  "spool inspect": ["<dir>"],
  "spool verify": ["<dir>"],
  "spool export": ["<dir>", "--target"],
};
/** Commands whose options are environment variables too. */
const WITH_VARIABLE = ["agent", "controller"];

async function helpOf(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await run([...args, "--help"]);
  assert.deepEqual([exitCode, stderr], [0, ""], args.join(" "));
  return stdout;
}

/** Returns the names in a section of a help text. */
function listed(help: string, section: "Commands" | "Options"): string[] {
  const [, lines = ""] = new RegExp(`^${section}:\\n((?: .*\\n)*)`, "m").exec(help) ?? [];
  return [...lines.matchAll(/^ {2}(?:-\w, )?([\w-]+)/gm)].map(([, name = ""]) => name);
}

function argumentsIn(help: string): string[] {
  return [...(/^Usage: .*$/m.exec(help)?.[0] ?? "").matchAll(/<[^>]+>/g)].map(([argument]) => argument);
}

test("--version prints the version of the package", async () => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  for (const flag of ["--version", "-V"])
    assert.deepEqual(await run([flag]), { exitCode: 0, stdout: `${version}\n`, stderr: "" });
});

test("--help lists exactly the commands", async () => {
  const commands = listed(await helpOf(), "Commands").filter((name) => name !== "help");
  const subcommands = listed(await helpOf("spool"), "Commands").filter((name) => name !== "help");
  assert.deepEqual([...commands, ...subcommands.map((name) => `spool ${name}`)], Object.keys(COMMANDS));
});

for (const [command, expected] of Object.entries(COMMANDS)) {
  test(`the help of ${command} lists exactly its arguments and options`, async () => {
    const words = command.split(" ");
    const help = await helpOf(...words);
    const options = listed(help, "Options").filter((name) => name !== "--help");
    assert.deepEqual([...argumentsIn(help), ...options], expected);
    if (words.length === 1) assert.equal((await run(["help", command])).stdout, help);
  });
}

for (const command of WITH_VARIABLE) {
  test(`every option of ${command} names its environment variable in the help`, async () => {
    const help = (await helpOf(command)).replace(/\s+/g, " ");
    for (const option of COMMANDS[command] ?? []) {
      const name = option.slice(2).toUpperCase().replaceAll("-", "_");
      assert.match(help, new RegExp(`env: KUBEVIRT_TELEMETRY_${name}\\b`));
    }
  });
}

const SIMULATE = ["simulate", "--socket", "/nonexistent/s", "--nics", "1", "--disks", "1"];

const WRONG: readonly (readonly [what: string, args: readonly string[], reason: RegExp, variables?: Variables])[] = [
  ["no command", [], /^Usage: kubevirt-telemetry/],
  ["an unknown command", ["collect"], /unknown command 'collect'/],
  ["an unknown option", ["--verbose"], /unknown option '--verbose'/],
  [
    "an unknown option of agent, with a suggestion,",
    ["agent", "--confg", "x"],
    /unknown option '--confg'\s+\(Did you mean --config\?\)/,
  ],
  ["an unknown option of validate", ["validate", "--strict", "x.yaml"], /unknown option '--strict'/],
  ["an unknown option of simulate", [...SIMULATE, "--domains", "1", "--vms", "3"], /unknown option '--vms'/],
  ["one argument too many", ["agent", "config.yaml"], /too many arguments for 'agent'/],
  [
    "agent with neither --config nor the options of a cluster",
    ["agent"],
    /^error: E_USAGE: --[a-z-]+ is missing: .* give --config FILE$/m,
  ],
  [
    "a missing --node-name, found before the port is served,",
    ["agent", "--pods-dir", "/p", "--listen", "127.0.0.1:0"],
    /^error: E_USAGE: --node-name is missing/,
  ],
  ["an option without its value", ["agent", "--config"], /option '--config <file>' argument missing/],
  [
    "--once with --cycles",
    ["agent", "--config", "x", "--once", "--cycles", "2"],
    /^error: E_USAGE: --once and --cycles exclude each other/,
  ],
  [
    "--once with the variable of --cycles",
    ["agent", "--config", "x", "--once"],
    /^error: E_USAGE: --once and --cycles/,
    { KUBEVIRT_TELEMETRY_CYCLES: "2" },
  ],
  [
    "zero cycles",
    ["agent", "--config", "x", "--cycles", "0"],
    /'0' is invalid. It must be a whole number of at least 1/,
  ],
  [
    "a --cycles value that is not a number",
    ["agent", "--config", "x", "--cycles", "1e3"],
    /'1e3' is invalid. It must be a whole number/,
  ],
  [
    "an environment variable that is not a number",
    ["agent", "--config", "x"],
    /'many' from env 'KUBEVIRT_TELEMETRY_CYCLES' is invalid/,
    { KUBEVIRT_TELEMETRY_CYCLES: "many" },
  ],
  [
    "an unknown log level",
    ["agent", "--config", "x", "--log-level", "loud"],
    /Allowed choices are debug, info, warn, error, silent/,
  ],
  [
    "an unknown log level in the environment variable",
    ["agent", "--config", "x"],
    /'loud' from env 'KUBEVIRT_TELEMETRY_LOG_LEVEL' is invalid/,
    { KUBEVIRT_TELEMETRY_LOG_LEVEL: "loud" },
  ],
  ["an unknown sort key of top", ["top", "--sort", "size"], /Allowed choices are cpu, memory, disk, network, name/],
  ["an invalid interval of top", ["top", "--interval", "2"], /^error: E_USAGE: --interval must be a duration/],
  ["an interval of top that no timer can hold", ["top", "--interval", "600h"], /--interval must be .* to 24h/],
  ["a too short interval of top", ["top", "--interval", "100ms"], /^error: E_USAGE: --interval must be/],
  [
    "a host with a port",
    ["agent", "--config", "x", "--allowed-host", "a:90"],
    /^error: E_USAGE: --allowed-host must be/,
  ],
  ["an invalid address", ["agent", "--config", "x", "--listen", "9090"], /^error: E_USAGE: --listen must be HOST:PORT/],
  ["validate without files", ["validate"], /missing required argument 'files'/],
  ["simulate without a socket", ["simulate"], /required option '--socket <path>' not specified/],
  [
    "a negative number of domains",
    [...SIMULATE, "--domains", "-1"],
    /'-1' is invalid. It must be a whole number of at least 0/,
  ],
];

for (const [what, args, reason, variables] of WRONG) {
  test(`${what} is wrong usage`, () => assertUsage(args, reason, variables));
}
