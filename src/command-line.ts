import { once } from "node:events";
import type { WriteStream } from "node:tty";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { agent } from "./commands/agent.ts";
import type { controller } from "./commands/controller.ts";
import { parseOwner, prepareSpool } from "./commands/prepare-spool.ts";
import { removeSpool } from "./commands/remove-spool.ts";
import type { simulate } from "./commands/simulate.ts";
import type { exportCommand } from "./commands/spool.ts";
import type { StandardStreams } from "./commands/standard-streams.ts";
import type { top } from "./commands/top.ts";
import { OUTPUTS, validate } from "./commands/validate.ts";
import { TelemetryError } from "./errors.ts";
import { LOG_FORMATS, LOG_LEVELS } from "./log.ts";
import { DEFAULT_ADDRESS } from "./observability/listen-address.ts";
import { SHOWN_FAMILIES, SORT_KEYS } from "./top/columns.ts";
import { VERSION } from "./version.ts";

// The code of a command is loaded when it runs: an agent needs neither the simulator nor, without a cluster, HTTP/2 and TLS.

/** Exit codes besides 0: 1 for a failed command, 2 for wrong usage or an invalid configuration. */
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** Columns of the help if the output is not a terminal. */
const DEFAULT_HELP_WIDTH = 80;

/** Runs one command until it ends or the signal aborts. Resolves to the exit code. */
export async function runCommandLine(
  args: readonly string[],
  streams: StandardStreams,
  stop: AbortSignal,
): Promise<number> {
  let exitCode = 0;
  const program = commandLine(streams, stop, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    if (!(error instanceof TelemetryError)) throw error;
    streams.stderr.write(`error: ${error.code}: ${error.message}\n`);
    return error.code === "E_USAGE" || error.code === "E_CONFIG_INVALID" ? EXIT_USAGE : EXIT_FAILED;
  }
}

/** Returns all commands. `exit` gets the exit code of the one that runs. */
export function commandLine(streams: StandardStreams, stop: AbortSignal, exit: (code: number) => void): Command {
  const { stdout, stderr } = streams;
  const print = (line: string): void => {
    stdout.write(`${line}\n`);
  };
  const program = new Command("kubevirt-telemetry")
    .description("Telemetry agent for KubeVirt nodes and plain KVM hosts")
    .version(VERSION)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      getOutHelpWidth: () => helpWidth(stdout),
      getErrHelpWidth: () => helpWidth(stderr),
    })
    .exitOverride();

  program
    .command("agent")
    .description("collect from libvirt and deliver to the targets of the configuration")
    .addOption(option("--config <file>", "TelemetryConfig file in YAML, for an agent without Kubernetes"))
    .addOption(option("--once", "run one cycle; exit 0 only if everything was collected and delivered"))
    .addOption(option("--cycles <n>", "end after n cycles").argParser(wholeNumber(1)))
    .addOption(option("--print", "write the lines to standard output instead; needs no --config"))
    .addOption(option("--node-name <name>", "value of the tag `node`"))
    .addOption(podsDir())
    .addOption(libvirtSocket())
    .addOption(launcherLimit())
    .addOption(option("--spool-dir <dir>", "directory of queued lines; default: in memory"))
    .addOption(option("--secrets-dir <dir>", "directory of secrets, each in a file DIR/<secret>/<key>"))
    .addOption(listen("off with --once, --cycles or --print"))
    .addOption(allowedHost())
    .addOption(option("--vm-metrics", "also serve the values of VMs to Prometheus, at /metrics/vms of that address"))
    .addOption(logLevel())
    .addOption(logFormat())
    .action(async (options: Parameters<typeof agent>[0]) => {
      exit(await agent(options, stop, streams));
    });

  program
    .command("controller")
    .description("sum up the nodes' reports in the status of TelemetryConfigs; replicas elect one leader")
    .addOption(option("--namespace <name>", "namespace of the election's Lease; default: the namespace of the pod"))
    .addOption(option("--identity <name>", "unique name of this controller; default: the host name and a random part"))
    .addOption(listen())
    .addOption(allowedHost())
    .addOption(logLevel())
    .addOption(logFormat())
    .action(async (options: Parameters<typeof controller>[0]) => {
      const { controller } = await import("./commands/controller.ts");
      exit(await controller(options, stop, stdout));
    });

  program
    .command("validate")
    .description("check TelemetryConfig files and print every fault as file:line: path: message")
    .argument("<files...>", "files; directories, for every TelemetryConfig below them; - for the standard input")
    .option("--cluster", "allow the fields that only a cluster uses")
    .addOption(
      new Option("--output <format>", "format of the faults: a line for each, or one list")
        .choices(OUTPUTS)
        .default("text"),
    )
    .action(async (files: string[], options: Parameters<typeof validate>[1]) => {
      exit(await validate(files, options, { stdin: streams.stdin, print }));
    });

  program
    .command("simulate")
    .description("serve synthetic libvirt domains on a socket, for demos, load tests and bug reports")
    .requiredOption("--socket <path>", "unix socket to listen on")
    .option("--domains <n>", "number of domains", wholeNumber(0), 10)
    .option("--nics <n>", "network interfaces of each domain", wholeNumber(0), 2)
    .option("--disks <n>", "disks of each domain", wholeNumber(0), 3)
    .option("--seed <n>", "the same seed gives the same domains", wholeNumber(0), 1)
    .action(async (options: Parameters<typeof simulate>[0]) => {
      const { simulate } = await import("./commands/simulate.ts");
      exit(await simulate(options, stop, print));
    });

  program
    .command("top")
    .description("show a live table of this host's VMs, read from libvirt without an agent")
    .addOption(podsDir())
    .addOption(libvirtSocket())
    .addOption(new Option("--sort <key>", "sort order, greatest value first").choices(SORT_KEYS).default("cpu"))
    .addOption(
      new Option(
        "--families <name...>",
        "also show why a VM is paused, its memory in use, steal time or disk latency",
      ).choices(Object.keys(SHOWN_FAMILIES)),
    )
    .option("--interval <duration>", "time between two updates", "2s")
    .option("--once", "print one table, with the load during one interval; exit 0 only if it is complete")
    .action(async (options: Parameters<typeof top>[0]) => {
      const { top } = await import("./commands/top.ts");
      exit(await top(options, stop, streams));
    });

  const spool = program.command("spool").description("inspect a spool directory, also one that an agent uses");
  spool
    .command("inspect")
    .description("print the content of a spool and the backlog of each target")
    .argument("<dir>", "the agent's --spool-dir")
    .action(async (directory: string) => {
      const { inspectCommand } = await import("./commands/spool.ts");
      exit(await inspectCommand(directory, print));
    });
  spool
    .command("verify")
    .description("check every frame and print every place that is damaged or not readable; exit 1 if there is one")
    .argument("<dir>", "the agent's --spool-dir")
    .action(async (directory: string) => {
      const { verifyCommand } = await import("./commands/spool.ts");
      exit(await verifyCommand(directory, print));
    });
  spool
    .command("export")
    .description("write the lines of a spool as line protocol to the standard output; exit 1 if some are left out")
    .argument("<dir>", "the agent's --spool-dir")
    .option("--target <name>", "only the backlog of this target")
    .action(async (directory: string, options: Parameters<typeof exportCommand>[1]) => {
      const { exportCommand } = await import("./commands/spool.ts");
      const reportLeftOut = (line: string): void => {
        stderr.write(`error: ${line}\n`);
      };
      exit(await exportCommand(directory, options, (lines) => write(stdout, lines), reportLeftOut));
    });

  // Steps of an installation. They are commands because the image has no shell.
  program
    .command("create-config", { hidden: true })
    .description("create the TelemetryConfig of a file in the cluster, unless one of this name exists")
    .argument("<file>")
    .action(async (file: string) => {
      const { createConfigFromFile } = await import("./commands/create-config.ts");
      exit(await createConfigFromFile(file, stop, print));
    });

  program
    .command("prepare-spool", { hidden: true })
    .description("make a user the owner of a spool directory and its content")
    .argument("<dir>")
    .argument("<uid:gid>", "the user and the group", parseOwner)
    .action(async (directory: string, owner: Parameters<typeof prepareSpool>[1]) => {
      exit(await prepareSpool(directory, owner));
    });

  program
    .command("remove-spool", { hidden: true })
    .description("remove what agents have written to a spool directory, before an uninstallation")
    .argument("<dir>")
    .option("--stay", "wait for a signal afterwards, as the container of a DaemonSet must")
    .action(async (directory: string, options: Parameters<typeof removeSpool>[1]) => {
      exit(await removeSpool(directory, options, stop, print));
    });

  for (const command of [...program.commands, ...spool.commands]) command.exitOverride();
  return program;
}

function helpWidth(stream: WriteStream): number {
  return stream.isTTY ? stream.columns : DEFAULT_HELP_WIDTH;
}

/** Resolves when the stream accepts more. */
async function write(stream: WriteStream, bytes: Uint8Array): Promise<void> {
  if (!stream.write(bytes)) await once(stream, "drain");
}

function podsDir(): Option {
  return option("--pods-dir <dir>", "the kubelet's pods directory, which has the launchers' sockets");
}

function libvirtSocket(): Option {
  const fallback = "default: the first standard socket with a daemon";
  return option("--libvirt-socket <path...>", `libvirt socket, repeatable or with commas; ${fallback}`);
}

function launcherLimit(): Option {
  const names = "the limits are in docs/security.md";
  return option("--launcher-limit <name=n...>", `another limit for a virt-launcher, such as devices=2000; ${names}`);
}

function listen(exception?: string): Option {
  const fallback = `default: ${DEFAULT_ADDRESS}${exception === undefined ? "" : `, ${exception}`}`;
  return option("--listen <host:port>", `address of metrics, health and the status page, or off; ${fallback}`);
}

function allowedHost(): Option {
  const always = "IP addresses and localhost are always allowed";
  return option("--allowed-host <name...>", `host name in URLs of that address, repeatable or with commas; ${always}`);
}

function logLevel(): Option {
  return option("--log-level <level>", "lowest level to log").choices(LOG_LEVELS).default("info");
}

function logFormat(): Option {
  return option("--log-format <format>", "format of the log; default: text on a terminal, otherwise json").choices(
    LOG_FORMATS,
  );
}

/** Returns an option that is also the environment variable KUBEVIRT_TELEMETRY_<NAME>. An empty variable is ignored. */
function option(flags: string, description: string): Option {
  const made = new Option(flags, description);
  const variable = `KUBEVIRT_TELEMETRY_${made.name().toUpperCase().replaceAll("-", "_")}`;
  const value = process.env[variable];
  // Commander turns a switch on if its variable exists, whatever its value.
  const off = value === "" || (made.isBoolean() && (value === "false" || value === "0"));
  return off ? made : made.env(variable);
}

function wholeNumber(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^[0-9]+$/.test(text) && Number.isSafeInteger(value) && value >= minimum) return value;
    throw new InvalidArgumentError(`It must be a whole number of at least ${minimum}.`);
  };
}
