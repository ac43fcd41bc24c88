import { constants, type Stats } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { createConnection, type Socket } from "node:net";
import { LibvirtError, overLimit, type LibvirtErrorCode } from "./errors.ts";
import { LIMIT } from "./protocol.ts";
import { setDeadline } from "./deadline.ts";

/** O_PATH of Linux, which Node does not name: opens what the path names, without reading it or connecting to it. */
const O_PATH = 0o10000000;
/** Linux's PATH_MAX without the terminating zero. */
const MAX_PATH_BYTES = 4_095;

interface SocketOptions<Connection> {
  readonly deadlineMs: number;
  /** Takes over the connected socket, before any event of it. */
  readonly onConnect: (socket: Socket) => Connection;
  /** Is called with the number of bytes that were read into `buffer`. */
  readonly onBytes: (bytes: number) => void;
  readonly buffer: Buffer;
  /** Rejects a path if its last component is a link, a directory or anything else that is not a socket. */
  readonly mustBeSocket: boolean;
  /** Where /proc is mounted. */
  readonly proc?: string;
}

/**
 * Connects to the socket with this path. Returns the result of `onConnect`.
 * @throws {LibvirtError}
 */
export function openSocket<Connection>(path: string, options: SocketOptions<Connection>): Promise<Connection> {
  const { deadlineMs, mustBeSocket, proc = "/proc" } = options;
  const fault = pathFault(path, mustBeSocket ? MAX_PATH_BYTES : LIMIT.SOCKET_PATH);
  if (fault !== undefined) return Promise.reject(fault);
  const late = new AbortController();
  return new Promise((resolve, reject) => {
    const timer = setDeadline(deadlineMs, () => {
      late.abort();
      reject(new LibvirtError("E_LIBVIRT_TIMEOUT", `${path}: no connection within ${Math.round(deadlineMs)} ms`));
    });
    const opening = mustBeSocket ? connectHeld(path, proc, options, late.signal) : connect(path, options, late.signal);
    opening
      .finally(() => {
        clearTimeout(timer);
      })
      .then(resolve, (error: unknown) => {
        reject(connectError(path, error, mustBeSocket));
      });
  });
}

function connect<Connection>(
  path: string,
  { buffer, onBytes, onConnect }: SocketOptions<Connection>,
  late: AbortSignal,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const callback = (bytes: number): boolean => {
      onBytes(bytes);
      return true;
    };
    // As an option: Node takes a bare string of digits for a TCP port.
    const socket = createConnection({ path, onread: { buffer, callback }, signal: late });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(onConnect(socket));
    });
  });
}

/** Connects to the socket that the path names now, also if the path is changed at the same time. */
async function connectHeld<Connection>(
  path: string,
  proc: string,
  options: SocketOptions<Connection>,
  late: AbortSignal,
): Promise<Connection> {
  await using held = await holdSocket(path);
  try {
    return await connect(`${proc}/self/fd/${held.fd}`, options, late);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
    const message = `${path}: ${proc} is not mounted, and sockets of launchers are opened through it`;
    throw new LibvirtError("E_LIBVIRT_DENIED", message, { cause: error });
  }
}

function pathFault(path: string, maxBytes: number): LibvirtError | undefined {
  const length = Buffer.byteLength(path);
  if (length === 0 || length > maxBytes) {
    const why = `the path has ${length} bytes; the system allows 1 to ${maxBytes} for a socket`;
    return new LibvirtError("E_LIBVIRT_PATH", `${path}: ${why}`);
  }
  if (!path.includes("\0")) return undefined;
  return new LibvirtError("E_LIBVIRT_PATH", `${JSON.stringify(path)}: a path cannot hold a zero byte`);
}

/** Returns a descriptor of the socket with this path. */
async function holdSocket(path: string): Promise<FileHandle> {
  const held = await open(path, O_PATH | constants.O_NOFOLLOW);
  try {
    const stats = await held.stat();
    if (stats.isSocket()) return held;
    const isA = KINDS.find(([test]) => test(stats))?.[1] ?? "a special file";
    throw overLimit("SocketType", `${path}: the path of a launcher's socket is ${isA}, not a socket`);
  } catch (error) {
    await held.close();
    throw error;
  }
}

const KINDS: readonly (readonly [(stats: Stats) => boolean, string])[] = [
  [(stats) => stats.isSymbolicLink(), "a symbolic link"],
  [(stats) => stats.isDirectory(), "a directory"],
  [(stats) => stats.isFile(), "a file"],
  [(stats) => stats.isFIFO(), "a named pipe"],
];

function errorCode(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** Error of the system -> code, and what it means. Others, such as too many open files, do not show that the daemon has ended. */
const CONNECT_ERRORS: ReadonlyMap<unknown, readonly [LibvirtErrorCode, string]> = new Map([
  ["EACCES", ["E_LIBVIRT_DENIED", "no permission to use the socket (EACCES)"]],
  ["EPERM", ["E_LIBVIRT_DENIED", "no permission to use the socket (EPERM)"]],
  ["ENOENT", ["E_LIBVIRT_UNREACHABLE", "no such socket; is the daemon running?"]],
  ["ENOTDIR", ["E_LIBVIRT_UNREACHABLE", "no such socket: a part of the path is not a directory"]],
  ["ECONNREFUSED", ["E_LIBVIRT_UNREACHABLE", "no process listens on the socket; the daemon has ended"]],
]);

/** What to do about E_LIBVIRT_DENIED: values of the chart, or the user of the process. */
const REMEDY = {
  launcher: "if launchers run as root, set agent.launchers=root; with SELinux, set agent.seLinuxOptions.type=spc_t",
  host: "run the agent as a user that may use it",
} as const;

function connectError(path: string, error: unknown, isLauncher: boolean): LibvirtError {
  if (error instanceof LibvirtError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const [code, message] = CONNECT_ERRORS.get(errorCode(error)) ?? ["E_LIBVIRT_CLOSED", `no connection: ${text}`];
  const remedy = code === "E_LIBVIRT_DENIED" ? `: ${isLauncher ? REMEDY.launcher : REMEDY.host}` : "";
  return new LibvirtError(code, `${path}: ${message}${remedy}`, { cause: error });
}
