import { formatFault } from "../config/file-source.ts";
import { parseConfig, type Fault, type ParseOptions } from "../config/parse.ts";
import { foreignText } from "../lib/display-text.ts";
import { configFiles, type ConfigFile } from "./config-files.ts";
import type { StandardStreams } from "./standard-streams.ts";

export const OUTPUTS = ["text", "json"] as const;

export interface ValidateOptions extends ParseOptions {
  /** `text` is a line for each fault; `json` is one list of all faults. */
  readonly output?: (typeof OUTPUTS)[number];
}

/** A fault of a file; without a line if the file cannot be read. */
type FileFault = { readonly file: string } & (Fault | { readonly line?: undefined; readonly message: string });

/**
 * Checks configuration files, the files below directories, and for `-` the standard input. Prints every fault. Resolves to the exit
 * code: 1 if there is a fault.
 */
export async function validate(
  names: readonly string[],
  { output = "text", ...options }: ValidateOptions,
  { stdin, print }: Pick<StandardStreams, "stdin"> & { readonly print: (line: string) => void },
): Promise<number> {
  const faults: FileFault[] = [];
  for (const name of names) for await (const file of configFiles(name, stdin)) faults.push(...faultsOf(file, options));
  if (output === "json") print(JSON.stringify(faults));
  else for (const fault of faults) print(lineOf(fault));
  return faults.length > 0 ? 1 : 0;
}

function faultsOf(file: ConfigFile, options: ParseOptions): FileFault[] {
  if (file.text === undefined) return [{ file: file.name, message: file.problem }];
  const { faults = [] } = parseConfig(file.text, options);
  return faults.map((fault) => ({ file: file.name, ...fault }));
}

function lineOf(fault: FileFault): string {
  return fault.line === undefined
    ? foreignText(`${fault.file}: ${fault.message}`, 1_000)
    : formatFault(fault.file, fault);
}
