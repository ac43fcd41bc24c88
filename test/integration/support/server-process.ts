import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { end, freePort, until } from "./process.ts";

export interface Place {
  readonly directory: string;
  /** Of 127.0.0.1, free when the server was first started. */
  readonly port: number;
}

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Path that is answered with a success when the server is ready. */
  readonly ready: string;
}

/** A server in a directory and on a port of its own. It can be stopped, and started again with the same data. */
export class ServerProcess implements AsyncDisposable {
  readonly url: string;
  readonly directory: string;
  readonly #program: Program;
  #child: ChildProcess | undefined;

  private constructor({ directory, port }: Place, program: Program) {
    this.url = `http://127.0.0.1:${port}`;
    this.directory = directory;
    this.#program = program;
  }

  static async start(programIn: (place: Place) => Program | Promise<Program>): Promise<ServerProcess> {
    const place = { directory: await mkdtemp(path.join(tmpdir(), "server-")), port: await freePort() };
    const server = new ServerProcess(place, await programIn(place));
    try {
      await server.restart();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts with the same data. Resolves when the server answers. */
  async restart(): Promise<void> {
    await this.stop();
    const { command, args, env, ready } = this.#program;
    this.#child = spawn(command, args, { stdio: "ignore", env: { ...process.env, ...env } });
    await until(async () => (await fetch(this.url + ready)).ok || undefined, `${command} to answer`);
  }

  async stop(): Promise<void> {
    if (this.#child !== undefined) await end(this.#child);
  }

  /** Resolves to the answer to a request. */
  async ask(pathAndQuery: string, init?: RequestInit): Promise<string> {
    const response = await fetch(this.url + pathAndQuery, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`${pathAndQuery} was answered with ${response.status}: ${text}`);
    return text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}
