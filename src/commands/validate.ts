import { readFile } from "node:fs/promises";
import { formatFault } from "../config/file-source.ts";
import { parseConfig, type ParseOptions } from "../config/parse.ts";
import { messageOf } from "../errors.ts";

/** Checks configuration files and prints every fault. Resolves to the exit code: 1 if a file has a fault. */
export async function validate(
  files: readonly string[],
  options: ParseOptions,
  print: (line: string) => void,
): Promise<number> {
  let faulty = false;
  for (const file of files) {
    const lines = await faultsOf(file, options);
    for (const line of lines) print(line);
    faulty ||= lines.length > 0;
  }
  return faulty ? 1 : 0;
}

async function faultsOf(file: string, options: ParseOptions): Promise<string[]> {
  try {
    const { faults = [] } = parseConfig(await readFile(file, "utf8"), options);
    return faults.map((fault) => formatFault(file, fault));
  } catch (error) {
    return [`${file}: cannot be read: ${messageOf(error)}`];
  }
}
