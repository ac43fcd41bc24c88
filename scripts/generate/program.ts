import type { Command } from "commander";
import { commandLine } from "../../src/command-line.ts";

export interface CommandInfo {
  /** The words after the name of the program; none for the program itself. */
  readonly path: readonly string[];
  readonly description: string;
  /** Such as `[options] <files...>`. */
  readonly usage: string;
  readonly args: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly OptionInfo[];
}

export interface OptionInfo {
  readonly flags: string;
  /** Such as `--log-level`. */
  readonly long: string;
  /** Such as `<level>`; undefined for a switch. */
  readonly value: string | undefined;
  readonly choices: readonly string[];
  /** With its default and its environment variable. */
  readonly description: string;
  /** Without them. */
  readonly purpose: string;
  readonly variable: string | undefined;
  readonly fallback: string | undefined;
}

/** Returns the program and its commands, without those that are hidden, in the order of the help. */
export function commandInfos(): readonly CommandInfo[] {
  const program = commandLine(process, new AbortController().signal, () => undefined);
  return infosOf(program, []);
}

function infosOf(command: Command, path: readonly string[]): CommandInfo[] {
  const help = command.createHelp();
  const options = help.visibleOptions(command).map((option) => ({
    flags: option.flags,
    long: option.long ?? option.flags,
    value: /[<[].*/.exec(option.flags)?.[0],
    choices: option.argChoices ?? [],
    description: help.optionDescription(option),
    purpose: option.description,
    variable: option.envVar,
    fallback: option.defaultValue === undefined ? undefined : String(option.defaultValue),
  }));
  const args = command.registeredArguments.map((each) => ({ name: each.name(), description: each.description }));
  const commands = help.visibleCommands(command).filter((each) => each.name() !== "help");
  return [
    { path, description: command.description(), usage: command.usage(), args, options },
    ...commands.flatMap((each) => infosOf(each, [...path, each.name()])),
  ];
}
