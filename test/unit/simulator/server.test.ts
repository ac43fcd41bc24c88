import assert from "node:assert/strict";
import { link, mkdtemp, rm, stat } from "node:fs/promises";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { LibvirtClient } from "../../../src/libvirt/client.ts";
import { LibvirtConnection } from "../../../src/libvirt/connection.ts";
import { encodePacket, PacketAssembler } from "../../../src/libvirt/packet.ts";
import {
  DOMAIN_FILTER,
  KEEPALIVE,
  MESSAGE_TYPE,
  PROCEDURE,
  PROGRAM,
  STATS_GROUP,
  STATUS,
} from "../../../src/libvirt/protocol.ts";
import { SimulatedHost } from "../../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../../src/simulator/server.ts";
import { until } from "../../support/delivery.ts";
import { turns } from "../../support/turns.ts";
import { atEnd } from "../../support/at-end.ts";

const SOON = { deadlineMs: 10_000 };
const { ACTIVE, INACTIVE, NOWAIT } = DOMAIN_FILTER;
const GROUPS = STATS_GROUP.INTERFACE | STATS_GROUP.BLOCK;

async function temporary(t: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "simulator-"));
  atEnd(t, () => rm(directory, { recursive: true, force: true }));
  return path.join(directory, "libvirt-sock");
}

async function served(t: TestContext, domains = 3) {
  const socket = await temporary(t);
  const host = SimulatedHost.of(domains, { nics: 1, disks: 1, seed: 1 });
  const server = await SimulatorServer.start(socket, host);
  atEnd(t, () => server[Symbol.asyncDispose]());
  const client = await LibvirtClient.open(socket, SOON);
  atEnd(t, () => {
    client.close();
  });
  return { socket, host, server, client };
}

test("the client opens the simulator as a libvirt 9.0 with the system URI", async (t) => {
  const { client, server } = await served(t);
  assert.deepEqual([client.uri, client.libvirtVersion, server.clients], ["qemu:///system", "9.0.0", 1]);
});

test("inactive domains have their own filter, no id and no CPU times", async (t) => {
  const { client, host } = await served(t);
  host.inactive.add("vm-002");
  const listed = async (flags: number): Promise<[string, number][]> =>
    (await client.listDomains(flags, SOON)).map(({ name, id }) => [name, id]);
  assert.deepEqual(await listed(ACTIVE), [
    ["vm-001", 1],
    ["vm-003", 3],
  ]);
  assert.deepEqual(await listed(INACTIVE), [["vm-002", -1]]);
  assert.equal((await listed(0)).length, 3);
  assert.equal((await listed(ACTIVE | INACTIVE)).length, 3);
  const stats = await client.allDomainStats({ groups: GROUPS, flags: ACTIVE }, SOON);
  assert.equal(stats.length, 2);
  const [idle] = await client.listDomains(INACTIVE, SOON);
  assert.ok(idle !== undefined);
  assert.equal((await client.domainInfo(idle, SOON)).state, 5);
  await assert.rejects(client.domainCpuStats(idle, SOON), { libvirtCode: 55 });
  await assert.rejects(client.domainControlInfo(idle, SOON), { libvirtCode: 55 });
});

test("statistics can be limited to some domains", async (t) => {
  const { client } = await served(t);
  const domains = (await client.listDomains(ACTIVE, SOON)).slice(1, 2);
  const stats = await client.allDomainStats({ domains, groups: STATS_GROUP.STATE, flags: 0 }, SOON);
  assert.deepEqual(
    stats.map(({ domain, params }) => [domain.name, params.get("state.state")]),
    [["vm-002", 1]],
  );
});

test("the vCPUs share the CPU time, and an inactive domain has none", async (t) => {
  const { client, host } = await served(t);
  const [domain] = await client.listDomains(ACTIVE, SOON);
  assert.ok(domain !== undefined);
  const vcpus = await client.domainVcpus(domain, SOON);
  const { vcpus: count, cpuTimeNs } = await client.domainInfo(domain, SOON);
  assert.deepEqual(
    vcpus.map(({ number, state }) => [number, state]),
    Array.from({ length: count }, (_, number) => [number, 1]),
  );
  assert.ok(vcpus.every((vcpu) => vcpu.cpuTimeNs <= cpuTimeNs));
  host.inactive.add(domain.name);
  await assert.rejects(client.domainVcpus(domain, SOON), { libvirtCode: 55 });
});

test("a domain with another UUID and a removed domain are errors", async (t) => {
  const { client, host } = await served(t);
  const [first] = await client.listDomains(ACTIVE, SOON);
  assert.ok(first !== undefined);
  assert.match(await client.domainXml(first, SOON), /<domain type='kvm' id='1'>/);
  const other = { ...first, uuid: "00000000-0000-4000-a000-000000000000" };
  await assert.rejects(client.domainXml(other, SOON), { libvirtCode: 42 });
  host.domains.clear();
  await assert.rejects(client.domainInfo(first, SOON), { code: "E_LIBVIRT_REMOTE", libvirtCode: 42 });
});

test("a stuck domain blocks one call, and a later call with NOWAIT lacks its QEMU values", async (t) => {
  const { client, host, server } = await served(t);
  host.stuck.add("vm-002");
  const bulk = { groups: GROUPS, flags: ACTIVE | NOWAIT };
  let blocked = true;
  const first = client.allDomainStats(bulk, SOON).finally(() => {
    blocked = false;
  });
  await until("the call is blocked", () => server.blockedCalls > 0);
  const second = await client.allDomainStats(bulk, SOON);
  assert.deepEqual(
    second.map(({ params }) => [params.has("net.0.rx.bytes"), params.has("block.0.rd.reqs")]),
    [
      [true, true],
      [true, false],
      [true, true],
    ],
  );
  const domains = await client.listDomains(ACTIVE, SOON);
  const states = await Promise.all(domains.map((domain) => client.domainControlInfo(domain, SOON)));
  assert.deepEqual(
    states.map(({ state }) => state),
    [0, 2, 0],
  );
  const withoutQemu = { groups: STATS_GROUP.INTERFACE, flags: ACTIVE };
  assert.equal((await client.allDomainStats(withoutQemu, SOON)).length, 3);
  assert.ok(blocked);
  host.release("vm-002");
  assert.equal((await first)[1]?.params.has("block.0.rd.reqs"), true);
  assert.equal(server.blockedCalls, 0);
});

test("a mask of 0 asks for all groups, as in libvirt, and waits for QEMU; the client does not send it", async (t) => {
  const { socket, client, host, server } = await served(t);
  host.stuck.add("vm-002");
  const connection = await LibvirtConnection.connect(socket, 10_000);
  const call = connection.call({
    procedure: "CONNECT_GET_ALL_DOMAIN_STATS",
    write: (writer) => writer.uint(0).uint(0).uint(ACTIVE),
    read: () => undefined,
    deadlineMs: 10_000,
  });
  call.catch(() => undefined);
  await until("the call waits for QEMU", () => server.blockedCalls > 0);
  connection.destroy();
  assert.throws(() => client.allDomainStats({ groups: 0, flags: ACTIVE }, SOON), RangeError);
});

test("without cgroups there are no CPU statistics", async (t) => {
  const { client, host } = await served(t);
  const [domain] = await client.listDomains(ACTIVE, SOON);
  assert.ok(domain !== undefined);
  assert.deepEqual([...(await client.domainCpuStats(domain, SOON)).keys()], ["cpu_time", "user_time", "system_time"]);
  host.cgroups = false;
  await assert.rejects(client.domainCpuStats(domain, SOON), { libvirtCode: 55 });
});

test("a frozen daemon replies only after it is thawed", async (t) => {
  const { client, host } = await served(t);
  host.freeze();
  let answered = false;
  const list = client.listDomains(ACTIVE, SOON).finally(() => {
    answered = true;
  });
  await until("the daemon has the call", () => host.calls.has(PROCEDURE.CONNECT_LIST_ALL_DOMAINS));
  // Enough turns for a reply to arrive.
  await turns(50);
  assert.equal(answered, false);
  host.thaw();
  assert.equal((await list).length, 3);
});

test("opening it for writing is rejected", async (t) => {
  const { socket } = await served(t);
  const connection = await LibvirtConnection.connect(socket, 10_000);
  const open = connection.call({
    procedure: "CONNECT_OPEN",
    write: (writer) => writer.optional("qemu:///system", (name) => writer.string(name)).uint(0),
    read: () => undefined,
    deadlineMs: 10_000,
  });
  await assert.rejects(open, { libvirtCode: 29 });
  connection.destroy();
});

test("an unknown procedure is an error, and the connection stays open", async (t) => {
  const { socket } = await served(t);
  const connection = await LibvirtConnection.connect(socket, 10_000);
  const call = { read: () => undefined, deadlineMs: 10_000 };
  await assert.rejects(connection.call({ procedure: "AUTH_POLKIT", ...call }), {
    code: "E_LIBVIRT_REMOTE",
    libvirtCode: 1,
  });
  await connection.call({ procedure: "CONNECT_CLOSE", ...call });
  connection.destroy();
});

test("a ping is answered with a pong, and is not read as a call", async (t) => {
  const { socket, host } = await served(t);
  host.calls.clear();
  const client = createConnection(socket);
  const header = { program: PROGRAM.KEEPALIVE, type: MESSAGE_TYPE.MESSAGE, serial: 0, status: STATUS.OK };
  const answer = Promise.withResolvers<unknown>();
  const assembler = new PacketAssembler((received) => {
    answer.resolve(received);
  });
  client.on("data", (chunk: Buffer) => {
    assembler.push(chunk);
  });
  client.write(encodePacket({ ...header, procedure: KEEPALIVE.PING }));
  assert.deepEqual(await answer.promise, { ...header, procedure: KEEPALIVE.PONG });
  assert.equal(host.calls.size, 0);
  client.destroy();
});

test("a client that violates the protocol is disconnected, others are not", async (t) => {
  const { socket, client } = await served(t);
  const other = createConnection(socket);
  const closed = new Promise((resolve) => other.once("close", resolve));
  other.on("error", () => undefined);
  other.write("GET / HTTP/1.1\r\n\r\n");
  await closed;
  assert.equal((await client.listDomains(ACTIVE, SOON)).length, 3);
});

test("a socket without a server is replaced, and one with a server is not", async (t) => {
  const socket = await temporary(t);
  const host = SimulatedHost.of(1, { nics: 0, disks: 0, seed: 1 });
  const killed = await SimulatorServer.start(`${socket}-killed`, host);
  await link(killed.socketPath, socket);
  await killed[Symbol.asyncDispose]();
  const server = await SimulatorServer.start(socket, host);
  atEnd(t, () => server[Symbol.asyncDispose]());
  await assert.rejects(SimulatorServer.start(socket, host), /in use/);
  using client = await LibvirtClient.open(socket, SOON);
  assert.equal((await client.listDomains(ACTIVE, SOON)).length, 1);
});

test("every user can use the socket, and the server removes it at its end", async (t) => {
  const { socket, server } = await served(t);
  assert.equal((await stat(socket)).mode & 0o777, 0o777);
  await server[Symbol.asyncDispose]();
  await assert.rejects(stat(socket), { code: "ENOENT" });
});

test("a too long path and a used socket are errors", async (t) => {
  const host = SimulatedHost.of(1, { nics: 0, disks: 0, seed: 1 });
  await assert.rejects(SimulatorServer.start(`/${"x".repeat(107)}`, host), /107 bytes/);
  const taken = await temporary(t);
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(taken, resolve));
  atEnd(t, () => new Promise((resolve) => other.close(resolve)));
  await assert.rejects(SimulatorServer.start(taken, host), /in use/);
});
