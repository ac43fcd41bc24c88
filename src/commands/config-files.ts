import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import type { Readable } from "node:stream";
import { messageOf } from "../errors.ts";
import { API } from "../config/schema.ts";

/** A file, and its text or what is wrong with it. */
export type ConfigFile =
  | { readonly name: string; readonly text: string }
  | { readonly name: string; readonly text?: undefined; readonly problem: string };

/** The name of the standard input. */
const STANDARD_INPUT = "-";

/** More than a configuration may have, so that the check rejects the text. */
const MAX_BYTES = 8 * 1024 * 1024;
/** Directories that never have configurations of their user. Those with a dot, such as `.git`, are left out too. */
const LEFT_OUT = "node_modules";
/** An object of this project's API, with any kind, so that a misspelt kind is found. */
const OWN_OBJECT = new RegExp(`^apiVersion:\\s*["']?${API.group}/`, "m");

/**
 * Yields the text of a file, of the standard input, or of every YAML file below a directory that has an object of this project. A
 * directory without one is a problem. Links in a directory are not followed.
 */
export async function* configFiles(name: string, stdin: Readable): AsyncGenerator<ConfigFile> {
  const isDirectory = name !== STANDARD_INPUT && (await stat(name).catch(() => undefined))?.isDirectory() === true;
  if (!isDirectory) {
    yield await read(name, name === STANDARD_INPUT ? stdin : createReadStream(name));
    return;
  }
  let found = false;
  for await (const file of yamlFiles(name)) {
    if (file.text !== undefined && !OWN_OBJECT.test(file.text)) continue;
    found = true;
    yield file;
  }
  if (!found) yield { name, problem: "has no YAML file with a TelemetryConfig" };
}

async function* yamlFiles(directory: string): AsyncGenerator<ConfigFile> {
  let entries;
  try {
    entries = await readdir(directory, { withFileTypes: true });
  } catch (error) {
    yield { name: directory, problem: unreadable(error) };
    return;
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const name = path.join(directory, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== LEFT_OUT && !entry.name.startsWith(".")) yield* yamlFiles(name);
    } else if (entry.isFile() && /\.ya?ml$/.test(entry.name)) {
      yield await read(name, createReadStream(name));
    }
  }
}

/** Resolves to the text of a stream, up to a limit: a device has no end. */
async function read(name: string, stream: Readable): Promise<ConfigFile> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of stream) {
      const buffer = Buffer.from(chunk as Uint8Array);
      chunks.push(buffer);
      bytes += buffer.length;
      if (bytes > MAX_BYTES) break;
    }
  } catch (error) {
    return { name, problem: unreadable(error) };
  }
  return { name, text: Buffer.concat(chunks).toString("utf8") };
}

function unreadable(error: unknown): string {
  return `cannot be read: ${messageOf(error)}`;
}
