// Texts that want to clear a terminal, forge a line or fill a log, at every place where this program gets texts from others.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { eventOf } from "../../../src/cluster/config-reporter.ts";
import { formatFault } from "../../../src/config/file-source.ts";
import { parseConfig } from "../../../src/config/parse.ts";
import { classify } from "../../../src/delivery/influx/rules.ts";
import { exampleOf, rejectionsOf } from "../../../src/delivery/rejection.ts";
import type { Outcome } from "../../../src/delivery/outcome.ts";
import { BudgetError, messageOf, TelemetryError, unexpected } from "../../../src/errors.ts";
import { messageOfAnswer, rejection } from "../../../src/kubernetes/answer.ts";
import { toKubeError } from "../../../src/kubernetes/kube-error.ts";
import { networkFault } from "../../../src/lib/network-fault.ts";
import { aggregate } from "../../../src/status/aggregate.ts";
import { nodeReport } from "../../../src/status/node-report.ts";
import { run, running } from "../../support/command-line.ts";
import { configText } from "../../support/config.ts";
import { until } from "../../support/delivery.ts";
import { startPeer, type Handlers, type PeerCall } from "../../support/libvirt-peer.ts";
import { assertPrintable, assertPrintableLines, HUGE, NASTY } from "../../support/nasty-texts.ts";
import { observation } from "../../support/observation.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { atEnd } from "../../support/at-end.ts";

const MAX_LINE = 6_000;
const UUID = Buffer.alloc(16, 7);

/** Answers every call about domains with an error of this text. `name`: the domain that runs. */
function refusing(text: string, name?: string): Handlers {
  const refuse = (call: PeerCall): void => {
    call.fail(1, text);
  };
  return {
    CONNECT_LIST_ALL_DOMAINS: (call) => {
      if (name === undefined) refuse(call);
      else
        call.reply((writer) => {
          writer.array([name], (one) => writer.string(one).fixedOpaque(UUID).int(1)).uint(1);
        });
    },
    CONNECT_GET_ALL_DOMAIN_STATS: refuse,
    DOMAIN_GET_INFO: (call) => {
      call.reply((writer) => writer.uint(1).uhyper(1_024n).uhyper(1_024n).uint(1).uhyper(5n));
    },
    DOMAIN_GET_CPU_STATS: refuse,
    DOMAIN_GET_XML_DESC: refuse,
    DOMAIN_GET_CONTROL_INFO: refuse,
    DOMAIN_GET_VCPUS: refuse,
  };
}

/** Daemons that use these texts as errors, as the name of a domain, and instead of a reply. Returns their sockets. */
async function daemons(t: TestContext): Promise<readonly string[]> {
  const peers = [
    await startPeer(t, refusing(NASTY)),
    await startPeer(t, refusing(HUGE)),
    await startPeer(t, refusing(NASTY, NASTY)),
    await startPeer(t, {
      AUTH_LIST: (call) => {
        call.fail(1, NASTY);
      },
    }),
    await startPeer(t, {
      AUTH_LIST: (call) => {
        call.socket.write(NASTY.repeat(3));
      },
    }),
  ];
  return peers.map(({ socketPath }) => socketPath);
}

/** A target whose status line, headers and body are these texts. Node rejects headers that are not HTTP. */
async function target(t: TestContext, body: string, statusText: string): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => {
      const head = [`HTTP/1.1 400 ${statusText}`, "connection: close", `content-length: ${Buffer.byteLength(body)}`];
      socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(t, () => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("nothing that a daemon or a target says reaches the log or the page as it is", async (t) => {
  const directory = await temporaryDirectory(t);
  const config = path.join(directory, "config.yaml");
  const urls = [
    await target(t, JSON.stringify({ error: `partial write: ${NASTY} dropped=1` }), "Bad"),
    await target(t, JSON.stringify({ error: HUGE }), "Bad"),
    await target(t, NASTY, "\x1b[2J\u202e"),
  ];
  const targets = urls.map((url, index) => ({
    name: `t${index}`,
    url,
    tls: { mode: "Plaintext" },
    flush: { interval: "100ms" },
    v1: { database: "d" },
  }));
  await writeFile(config, configText({ collection: { interval: "1s" }, targets }));
  let address: string | undefined;
  const serves = (line: string): boolean => {
    address ??= /"address":"([^"]+)"/.exec(line)?.[1];
    return address !== undefined;
  };
  const sockets = (await daemons(t)).flatMap((socket) => ["--libvirt-socket", socket]);
  const args = ["agent", "--config", config, ...sockets, "--spool-dir", path.join(directory, "spool")];
  const agent = await running(t, [...args, "--listen", "127.0.0.1:0"], { test: serves });
  const seen = [/libvirt rejected CONNECT_LIST_ALL_DOMAINS/, /libvirt rejected CONNECT_GET_ALL/, /E_LIBVIRT_PROTOCOL/];
  const targetsSeen = ["t0", "t1", "t2"].map((name) => new RegExp(`"target":"${name}"`));
  await until("all are logged", () => [...seen, ...targetsSeen].every((text) => text.test(agent.stdout())));
  for (const place of ["/", "/metrics", "/healthz", "/readyz"]) {
    const answer = await fetch(`http://${address}${place}`);
    assertPrintableLines(await answer.text(), MAX_LINE, place);
  }
  assertPrintableLines(agent.stdout(), MAX_LINE, "the log");
  for (const line of agent.stdout().split("\n").filter(Boolean)) {
    const { msg } = JSON.parse(line) as { readonly msg: string };
    assertPrintable(msg, MAX_LINE, "a message");
    assert.notEqual(msg, "forged");
  }
});

test("top prints no text of a daemon as it is", async (t) => {
  const sockets = (await daemons(t)).flatMap((socket) => ["--libvirt-socket", socket]);
  const { stdout, stderr } = await run(["top", "--once", "--interval", "200ms", ...sockets]);
  assertPrintableLines(stdout, 2_000, "the table");
  assertPrintableLines(stderr, 2_000, "the errors");
  assert.match(stderr, /libvirt rejected/);
});

test("names in a configuration, of files and of a spool are printed without control characters", async (t) => {
  const directory = await temporaryDirectory(t);
  const file = path.join(directory, "\x1b[2J\u202e.yaml");
  await writeFile(file, configText({ ["\x1b[2J\u202ekey\u2028"]: 1, targets: [] }));
  const spool = path.join(directory, "\x1b[2Jspool");
  await mkdir(path.join(spool, "v1-\x1b[2J"), { recursive: true });
  const results = [
    await run(["validate", file]),
    await run(["agent", "--config", file, "--once"]),
    await run(["agent", "--config", path.join(directory, "\x1b[2J"), "--once"]),
    await run(["spool", "inspect", spool]),
    await run(["spool", "inspect", path.join(directory, "\x1b[2Jnone")]),
    await run(["spool", "verify", spool]),
    await run(["top", "--once", "--interval", "\x1b[2J"]),
    await run(["agent", "--listen", "\x1b[2J"]),
    await run(["agent", "--allowed-host", "\x1b[2J:"]),
  ];
  for (const { stdout, stderr } of results) assertPrintableLines(stdout + stderr, MAX_LINE, "the output");
  assert.ok((results[0]?.stdout ?? "").includes("?[2J"));
});

const TEXTS = [NASTY, HUGE, `${"a".repeat(3_000)}${NASTY}`];

test("the words of a target are printable in every outcome, for each protocol and status", () => {
  const bodies = TEXTS.flatMap((text) => [
    text,
    `<html>${text}`,
    ...[
      { error: text },
      { message: text, code: text },
      { error: `partial write: unable to parse '${text}': ${text} dropped=1` },
      {
        error: "partial write of line protocol occurred",
        data: [{ original_line: text, line_number: 1, error_message: text }],
      },
      { error: "x", data: { original_line: text, error_message: `would exceed ${text} limit of 5` } },
    ].map((body) => JSON.stringify(body)),
  ]);
  const protocols = [
    { version: "v1", database: "d", retentionPolicy: undefined },
    { version: "v2", org: "o", bucket: "b" },
    { version: "v3", database: "d", api: "Native" },
  ] as unknown as readonly Parameters<typeof classify>[1]["protocol"][];
  const check = (outcome: Outcome): void => {
    if (outcome.kind === "delivered") return;
    assertPrintable(outcome.detail, 400, "the detail");
    if (outcome.kind !== "partial") return;
    const rejections = rejectionsOf([Buffer.from(TEXTS.join("\n")), Buffer.from("a b=1\n")], outcome);
    for (const { reason } of rejections) assertPrintable(reason, 400, "the reason");
    assertPrintable(exampleOf(rejections), 800, "the example");
  };
  for (const protocol of protocols)
    for (const body of bodies) {
      for (const status of [200, 204, 300, 400, 401, 404, 407, 413, 418, 422, 429, 500, 503])
        check(classify({ status, body, retryAfter: body }, { lines: 3, protocol, nowMs: 0 }));
      for (const local of [true, false]) check(classify({ failure: body, local }, { lines: 3, protocol, nowMs: 0 }));
    }
});

test("the words of an API server and of a certificate are printable in every error", () => {
  for (const text of TEXTS) {
    const tls = Object.assign(new Error(`Host: ${text}. is not in the cert's altnames: DNS:${text}`), {
      code: "ERR_TLS_CERT_ALTNAME_INVALID",
    });
    const answer = { status: 422, headers: {}, body: { kind: "Status", message: text } };
    const errors = [
      toKubeError(tls, "E_KUBE_UNREACHABLE", text),
      rejection(answer, text),
      rejection({ ...answer, status: 403, body: text }, "the list"),
      new TelemetryError("E_CONFIG_INVALID", text),
      new BudgetError("Devices", text),
      unexpected(text, new Error(text)),
    ];
    for (const { message } of errors) assertPrintable(message, 1_000, "the error");
    for (const message of [
      messageOfAnswer(answer),
      messageOf(text),
      messageOf(new Error(text)),
      networkFault(tls, {}).text,
    ])
      assertPrintable(message, 500, "the message");
    const { text: withRemedy } = networkFault(tls, { ERR_TLS_CERT_ALTNAME_INVALID: "check the name" });
    assert.match(withRemedy, /\(check the name\)$/);
    assert.doesNotMatch(
      networkFault(new Error("the token is s3cret"), {}, (all) => all.replace("s3cret", "***")).text,
      /s3cret/,
    );
    for (const fault of parseConfig(`${JSON.stringify({ [text]: text })}\n`).faults ?? [])
      assertPrintable(formatFault(text, fault), 1_000, "the fault");
  }
});

test("a status and its Events are printable as they are stored, whatever they report", () => {
  for (const text of TEXTS) {
    const failures = [{ where: text, denied: false, message: text }];
    const libvirt = {
      versions: [],
      endpoints: 1,
      answering: 0,
      domains: 1,
      failures,
      misbehavior: [text],
      sampledLessOften: [],
    };
    const reports = [
      observation({ libvirt }),
      observation({ libvirt: { ...libvirt, failures: failures.map((one) => ({ ...one, denied: true })) } }),
      observation({ libvirt: { ...libvirt, failures: [] } }),
      observation({
        targets: [{ name: "main", state: "Failing", sinceMs: 0, reason: "TargetRejecting", detail: text }],
      }),
      observation({ configFault: { reason: "InvalidConfig", message: text } }),
      observation({ namesFault: { reason: "Forbidden", message: text } }),
      observation({ bufferFault: { reason: "DiskFull", message: text } }),
    ].map((one) => nodeReport(one, undefined, 0));
    for (const report of reports) assertStored(report);
    // A report of a stranger with an agent's token: the API server checks lengths only.
    const config = { name: "default", uid: "u1", generation: 3, targetCount: 1, suspended: false, status: undefined };
    const forged = reports.map((report, index) => ({
      node: `node-${index}`,
      status: { ...report, conditions: report.conditions.map((one) => ({ ...one, reason: text, message: text })) },
    }));
    for (const faults of [[], [text]]) {
      const status = aggregate({ ...config, faults }, forged, 0);
      assert.ok(status.failures.length > 0);
      assertStored(status);
      for (const condition of status.conditions) assertStored(eventOf(config, condition, "controller-1", 0));
    }
  }
});

/** Asserts that all texts of an object are printable. */
function assertStored(value: unknown): void {
  if (typeof value === "string") assertPrintable(value, 1_024, "a stored text");
  else if (typeof value === "object" && value !== null) for (const part of Object.values(value)) assertStored(part);
}
