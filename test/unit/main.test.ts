// Tests of the process itself. The tests of the command line run in the process of the test and cannot check these.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { SimulatorServer } from "../../src/simulator/server.ts";
import { SimulatedHost } from "../../src/simulator/simulated-host.ts";
import { atEnd } from "../support/at-end.ts";
import { MAIN, runningProcess, runProcess } from "../support/command-line.ts";
import { configText } from "../support/config.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

test("the process has the exit code and the error output of the command", async () => {
  const { exitCode, stdout, stderr } = await runProcess(["agent", "--once", "--cycles", "2"]);
  assert.deepEqual({ exitCode, stdout }, { exitCode: 2, stdout: "" });
  assert.equal(stderr, "error: E_USAGE: --once and --cycles exclude each other: give one of them\n");
});

test("SIGTERM ends an agent with exit code 0", async (t) => {
  const directory = await temporaryDirectory(t);
  const config = path.join(directory, "config.yaml");
  const target = { name: "a", url: "http://127.0.0.1:9", tls: { mode: "Plaintext" }, v1: { database: "d" } };
  await writeFile(config, configText({ targets: [target] }));
  const args = ["agent", "--config", config, "--libvirt-socket", path.join(directory, "absent")];
  const agent = await runningProcess(t, args, /"msg":"started"/);
  const ended = once(agent, "exit");
  agent.kill("SIGTERM");
  assert.deepEqual(await ended, [0, null]);
});

test("SIGINT ends a simulator with exit code 0", async (t) => {
  const args = ["simulate", "--socket", path.join(await temporaryDirectory(t), "socket")];
  const simulator = await runningProcess(t, args, /^10 domains with 2 NICs and 3 disks each/);
  const ended = once(simulator, "exit");
  simulator.kill("SIGINT");
  assert.deepEqual(await ended, [0, null]);
});

test("SIGTERM ends an agent whose reader of the lines has stopped", async (t) => {
  const socket = path.join(await temporaryDirectory(t), "socket");
  const server = await SimulatorServer.start(socket, SimulatedHost.of(300, { nics: 2, disks: 3, seed: 1 }));
  atEnd(t, () => server[Symbol.asyncDispose]());
  const args = ["agent", "--print", "--listen", "off", "--libvirt-socket", socket];
  const agent = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "ignore"] });
  atEnd(t, () => {
    agent.kill("SIGKILL");
  });
  // The pipe takes 64 KiB, and this process as much. The lines of a cycle are more.
  await once(agent.stdout, "readable");
  const ended = once(agent, "exit");
  agent.kill("SIGTERM");
  assert.deepEqual(await ended, [0, null]);
});
