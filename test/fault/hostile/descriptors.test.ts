// More launchers and readers than the agent may have open files.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { SimulatedHost } from "../../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../../src/simulator/server.ts";
import { SyntheticDomain } from "../../../src/simulator/synthetic-domain.ts";
import { atEnd } from "../../support/at-end.ts";
import { runningProcess } from "../../support/command-line.ts";
import { configText } from "../../support/config.ts";
import { until } from "../../support/delivery.ts";
import { FakeInflux } from "../../support/fake-influx.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const OPEN_FILES = 256;
const HONEST = 200;
const SILENT = 100;
const READERS = 300;
const SHAPE = { nics: 1, disks: 1, seed: 1 };

/** Returns the pods directory of a node with launchers that answer and launchers that accept connections only. */
async function launchers(t: TestContext, directory: string): Promise<string> {
  const pods = path.join(directory, "p");
  const socketOf = async (podUid: string): Promise<string> => {
    const runtime = path.join(pods, podUid, "volumes/kubernetes.io~empty-dir/libvirt-runtime");
    await mkdir(runtime, { recursive: true });
    return path.join(runtime, "virtqemud-sock");
  };
  for (let pod = 0; pod < HONEST; pod++) {
    const host = new SimulatedHost();
    host.addDomain(new SyntheticDomain(pod, SHAPE, { name: `vm-${pod}`, id: 1 }));
    const server = await SimulatorServer.start(await socketOf(`h${pod}`), host);
    atEnd(t, () => server[Symbol.asyncDispose]());
  }
  for (let pod = 0; pod < SILENT; pod++) {
    const held = new Set<Socket>();
    const server = createServer((socket) => {
      held.add(socket);
      socket.on("error", () => undefined).resume();
    });
    server.listen(await socketOf(`s${pod}`));
    await once(server, "listening");
    atEnd(t, async () => {
      for (const socket of held) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
  }
  return pods;
}

/** Keeps many connections to the port open, and replaces each that the agent closes, until the test ends. */
function flood(t: TestContext, port: number): void {
  let ended = false;
  const sockets = new Set<Socket>();
  const open = (): void => {
    const socket = connect({ port, host: "127.0.0.1", localAddress: "127.0.0.2" });
    sockets.add(socket);
    socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n");
    socket.on("error", () => undefined);
    socket.once("close", () => {
      sockets.delete(socket);
      if (!ended) setTimeout(open, 20);
    });
  };
  for (let reader = 0; reader < READERS; reader++) open();
  atEnd(t, () => {
    ended = true;
    for (const socket of sockets) socket.destroy();
  });
}

test("300 launchers and a flood of readers leave files for spool, health and targets", async (t) => {
  const directory = await temporaryDirectory(t);
  await using influx = await FakeInflux.start({ version: "v1" });
  const target = { name: "main", url: influx.url, tls: { mode: "Plaintext" }, v1: { database: "d" } };
  const config = path.join(directory, "config.yaml");
  await writeFile(config, configText({ collection: { interval: "2s" }, targets: [target] }));
  const spool = path.join(directory, "spool");
  const pods = await launchers(t, directory);
  let log = "";
  let port = 0;
  const agent = await runningProcess(
    t,
    ["agent", "--config", config, "--pods-dir", pods, "--spool-dir", spool, "--listen", "127.0.0.1:0"],
    {
      test: (line: string) => {
        log += `${line}\n`;
        port ||= Number(/"address":"127\.0\.0\.1:([0-9]+)"/.exec(line)?.[1] ?? 0);
        return line.includes('"msg":"started"');
      },
    },
    {},
    { within: ["bash", "-c", `ulimit -n ${OPEN_FILES}; exec "$0" "$@"`] },
  );
  flood(t, port);
  const seen = (): Map<string, number> => {
    const counts = new Map<string, number>();
    for (const line of influx.stored) {
      if (!line.startsWith("vm_metrics,")) continue;
      const name = /,name=([^, ]+)/.exec(line)?.[1] ?? line;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return counts;
  };
  await until("every honest VM has arrived three times", () => {
    const counts = [...seen().values()];
    return counts.length === HONEST && counts.every((count) => count >= 3);
  });
  // Another address than that of the flood: its connection is not the one that is closed.
  const health = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined);
  assert.equal(health?.status, 200, log);
  const files = await readdir(`/proc/${agent.pid ?? 0}/fd`);
  assert.ok(files.length < OPEN_FILES - 16, `${files.length} open files`);
  assert.match(log, /too few open files allowed/);
  assert.doesNotMatch(log, /EMFILE|lines are kept in memory only|delivery failing|E_INTERNAL/);
});
