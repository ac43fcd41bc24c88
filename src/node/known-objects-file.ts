import { constants, open, rename, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { readClusterObject, type ClusterConfig } from "../config/cluster-object.ts";
import { projectVmi, vmiObject, type Vmi } from "../discovery/vmi.ts";
import { LineSplitter } from "../kubernetes/http2-request.ts";
import { recordOf } from "../kubernetes/kube-object.ts";
import { syncDirectory } from "../spool/writer-dir.ts";

/** What an agent knows of its cluster and needs after a restart. It has no secret: a TelemetryConfig only names Secrets. */
export interface KnownObjects {
  /** The TelemetryConfig in use, which selects this node. */
  readonly config: ClusterConfig | undefined;
  /** Description of a list of VMIs -> `namespace/name` -> the VMI. */
  readonly vmis: ReadonlyMap<string, ReadonlyMap<string, Vmi>>;
}

const FORMAT_VERSION = 1;
const MAX_BYTES = 32 << 20;
/** Longest line. The lists of a VMI have at most 15 KiB in memory, and a TelemetryConfig at most 1.5 MiB in etcd. */
const MAX_LINE = 2 << 20;
const MAX_VMIS = 4_096;
/** Bytes of one write, so that no step takes long. */
const WRITE_BYTES = 256 << 10;

/*
 * The file has one JSON object a line, so that neither reading nor writing takes long in one step:
 * {"version":1,"node":"node-1"}
 * {"config":{"metadata":{...},"spec":{...}}}
 * {"list":"VMIs with kubevirt.io/nodeName","vmi":{"metadata":{...},"spec":{...},"status":{...}}}
 * {"lines":3}
 * The objects are as the API server writes them, without the fields that the agent does not keep.
 */

/**
 * Resolves to the content of the file. It is checked like an answer of the API server.
 * @throws {Error} if there is no file, or if it is of another node or version, too large or damaged
 */
export async function readKnownObjects(file: string, nodeName: string): Promise<KnownObjects> {
  await using handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const stats = await handle.stat();
  if (!stats.isFile()) throw new Error("it is not a file");
  if (stats.size > MAX_BYTES) throw new Error(`it has more than ${MAX_BYTES} bytes`);
  const reader = new KnownObjectsReader(nodeName);
  const lines = new LineSplitter(MAX_LINE);
  const stream = handle.createReadStream({ autoClose: false, end: MAX_BYTES - 1 }) as AsyncIterable<Buffer>;
  for await (const chunk of stream) for (const line of lines.push(chunk)) reader.line(line);
  if (lines.unfinished > 0) throw new Error("its last line is incomplete");
  return reader.end();
}

class KnownObjectsReader {
  readonly #nodeName: string;
  readonly #vmis = new Map<string, Map<string, Vmi>>();
  #config: ClusterConfig | undefined;
  #lines = 0;
  #vmiCount = 0;
  #isComplete = false;

  constructor(nodeName: string) {
    this.#nodeName = nodeName;
  }

  line(text: string): void {
    const entry = recordOf(parse(text));
    if (this.#isComplete) throw new Error("a line follows its last line");
    if (this.#lines === 0) this.#checkHeader(entry);
    else if ("config" in entry) this.#config = readClusterObject(entry["config"]);
    else if ("vmi" in entry) this.#takeVmi(entry);
    else if (entry["lines"] === this.#lines) this.#isComplete = true;
    else throw new Error(`line ${this.#lines + 1} is damaged`);
    this.#lines++;
  }

  end(): KnownObjects {
    if (!this.#isComplete) throw new Error("its end is missing");
    // Another version may have checked the configuration by other rules.
    const isReadable = this.#config?.config !== undefined;
    return { config: isReadable ? this.#config : undefined, vmis: this.#vmis };
  }

  #checkHeader({ version, node }: Readonly<Record<string, unknown>>): void {
    if (version !== FORMAT_VERSION) throw new Error("it is of another version");
    if (node !== this.#nodeName) throw new Error("it is of another node");
  }

  #takeVmi({ list, vmi: raw }: Readonly<Record<string, unknown>>): void {
    const vmi = projectVmi(raw, this.#nodeName);
    if (typeof list !== "string" || vmi === undefined) throw new Error(`line ${this.#lines + 1} is not a VMI`);
    if (++this.#vmiCount > MAX_VMIS) throw new Error(`it has more than ${MAX_VMIS} VMIs`);
    const known = this.#vmis.get(list) ?? new Map<string, Vmi>();
    this.#vmis.set(list, known.set(`${vmi.namespace}/${vmi.name}`, vmi));
  }
}

/** The parser's message quotes the text, which may be long. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("a line is not JSON");
  }
}

/**
 * Replaces the file in one step and durably. VMIs beyond the limits are left out.
 * @throws the file system's error
 */
export async function writeKnownObjects(file: string, nodeName: string, known: KnownObjects): Promise<void> {
  const temporary = `${file}.tmp`;
  {
    // Two agents use the directory only during an update. If their writes mix, one of the renames fails and is repeated.
    await using handle = await open(temporary, "w", 0o600);
    await writeAll(handle, linesOf(nodeName, known));
    await handle.sync();
  }
  await rename(temporary, file);
  await syncDirectory(path.dirname(file));
}

async function writeAll(handle: FileHandle, lines: Iterable<string>): Promise<void> {
  let text = "";
  for (const line of lines) {
    text += line;
    if (text.length < WRITE_BYTES) continue;
    await handle.appendFile(text);
    text = "";
  }
  await handle.appendFile(text);
}

function* linesOf(nodeName: string, { config, vmis }: KnownObjects): Generator<string, void, undefined> {
  let lines = 0;
  let bytes = 0;
  const fits = (line: string): boolean => {
    const size = Buffer.byteLength(line);
    if (size > MAX_LINE || bytes + size > MAX_BYTES - WRITE_BYTES) return false;
    bytes += size;
    lines++;
    return true;
  };
  const header = lineOf({ version: FORMAT_VERSION, node: nodeName });
  if (fits(header)) yield header;
  const configLine = lineOf({ config: config && configObject(config) });
  if (config !== undefined && fits(configLine)) yield configLine;
  let left = MAX_VMIS;
  for (const [list, objects] of vmis)
    for (const vmi of objects.values()) {
      const line = lineOf({ list, vmi: vmiObject(vmi) });
      if (left-- > 0 && fits(line)) yield line;
    }
  yield lineOf({ lines });
}

function lineOf(entry: object): string {
  return `${JSON.stringify(entry)}\n`;
}

/**
 * Returns an object of which `readClusterObject` returns the same configuration. It selects every node: it did select this
 * one, and the labels of the node are unknown without the API server.
 */
function configObject({ name, uid, generation, createdMs, config }: ClusterConfig): object {
  const creationTimestamp = new Date(createdMs).toISOString();
  return { metadata: { name, uid, generation, creationTimestamp }, spec: { ...config?.spec, nodeSelector: {} } };
}
