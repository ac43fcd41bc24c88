import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { resolveConfig } from "../../../src/config/resolve.ts";
import { TargetAccessReader } from "../../../src/config/target-access.ts";
import { parseConfig } from "../../../src/config/parse.ts";
import { domainKey } from "../../../src/discovery/domain-name.ts";
import type { AgentView } from "../../../src/observability/agent-view.ts";
import { statusPage, statusPages } from "../../../src/observability/status-page.ts";
import { CLUSTER_SPEC, configText } from "../../support/config.ts";
import { texts } from "../../support/page-texts.ts";
import { agentView, launcher, targetView, troubledView, vm } from "../../support/agent-view.ts";

function page(view: AgentView, query = ""): string {
  return statusPage(view, new URLSearchParams(query)).body;
}

test("the page of a healthy node shows its VMs with their load", () => {
  const shown = texts(page(agentView()));
  assert.deepEqual(shown.slice(0, 3), ["worker-7", "healthy", "kubevirt-telemetry 1.2.3, up 1d 1h"]);
  assert.ok(!shown.includes("Problems"));
  const at = shown.indexOf("shop/web-1");
  assert.deepEqual(shown.slice(at, at + 12), [
    "shop/web-1",
    "running",
    "2",
    "12.0 %",
    "768 MiB",
    "525 MiB",
    "–",
    "0 B/s",
    "0 B/s",
    "–",
    "0 B/s",
    "0 B/s",
  ]);
});

test("the page has columns of families that are off by default only while a VM has a value", () => {
  const { libvirt } = agentView();
  const [first, ...others] = libvirt.endpoints;
  assert.ok(first?.samples[0] !== undefined);
  const latest = <Value>(value: Value) => ({ value, atMs: 0 });
  const some = { reason: latest("io-error"), usedPercent: latest(81.25), latencyUs: latest(1234) };
  const details = new Map([[domainKey(first.samples[0].identity), some]]);
  const samples = first.samples.map((one) => ({ ...one, state: 3 }));
  const shown = texts(
    page(agentView({ libvirt: { ...libvirt, endpoints: [{ ...first, samples, details }, ...others] } })),
  );
  for (const text of ["In use", "81.3 %", "Latency", "1.23 ms", "io-error"]) assert.ok(shown.includes(text), text);
  assert.ok(!shown.includes("Steal"));
  const none = texts(page(agentView()));
  for (const title of ["In use", "Latency", "Steal"]) assert.ok(!none.includes(title), title);
});

test("problems come first, in words as well as in colours", () => {
  const shown = texts(page(troubledView()));
  assert.deepEqual(shown.slice(1, 2), ["5 problems"]);
  assert.equal(shown[3], "Problems");
  for (const word of ["QEMU stuck", "Failing", "failed", "stuck", "absent", "116,160", "7.9 MiB, oldest 2h 1m"])
    assert.ok(shown.includes(word), word);
});

test("the page shows a missing and a suspended configuration", () => {
  const { config } = agentView();
  assert.ok(config.active !== undefined);
  const none = agentView({ config: { ...config, active: undefined, source: undefined }, targets: [] });
  assert.ok(texts(page(none)).includes("not configured"));
  const suspended = agentView({ config: { ...config, active: { ...config.active, state: "Suspended" } } });
  assert.ok(texts(page(suspended)).includes("suspended"));
});

test("the page refreshes itself unless refresh=off", () => {
  assert.match(page(agentView()), /<meta http-equiv="refresh" content="5" \/>/);
  assert.doesNotMatch(page(agentView(), "refresh=off"), /http-equiv/);
  assert.match(page(agentView(), "refresh=off"), /<a href="\/">Turn on<\/a>/);
});

test("names, paths, errors and tags from outside are escaped", () => {
  const evil = `<script>alert("x")</script><img src=x onerror='y'>&amp;`;
  const { config, libvirt } = agentView();
  assert.ok(config.active !== undefined);
  const html = page(
    agentView({
      node: evil,
      config: {
        ...config,
        source: evil,
        active: { ...config.active, staticTags: { site: evil } },
        fault: { reason: evil, message: evil },
      },
      libvirt: {
        ...libvirt,
        endpoints: [
          launcher("x", [vm(evil, evil, 1)], {
            endpoint: evil,
            stuck: [evil],
            state: "failed",
            error: { code: evil, message: evil },
          }),
        ],
      },
      targets: [targetView(evil, { state: "Failing", detail: evil }, { url: evil })],
    }),
  );
  assert.doesNotMatch(html, /<script|<img|onerror='|&amp;amp|"x"/);
  assert.ok(html.includes("&#60;script&#62;alert(&#34;x&#34;)&#60;/script&#62;"));
});

test("no secret of a configuration is on the page", async () => {
  const { config } = parseConfig(configText(CLUSTER_SPEC), { cluster: true });
  assert.ok(config !== undefined);
  const secrets: string[] = [];
  const active = await resolveConfig(
    config,
    new TargetAccessReader({
      read: (kind, name, key) => {
        secrets.push(`${kind}-${name}-${key}-content`);
        return Promise.resolve(`${kind}-${name}-${key}-content`);
      },
    }),
  );
  const view = agentView({ config: { ...agentView().config, active } });
  const html = page(view);
  assert.ok(secrets.length > 5);
  const json = statusPages(view)["/status.json"](new URLSearchParams()).body;
  for (const content of secrets) assert.ok(!html.includes(content) && !json.includes(content), content);
  for (const shown of [
    "https://one.example.com:8086/influx",
    "retentionPolicy: week",
    "credentials: basic",
    "ownCa: true",
  ])
    assert.ok(html.includes(shown), shown);
});

test("the page loads and runs nothing, and its policy allows only its own style", () => {
  const { body, headers = {}, type } = statusPage(troubledView(), new URLSearchParams());
  assert.equal(type, "text/html; charset=utf-8");
  const [, style = ""] = /<style>([^]*)<\/style>/.exec(body) ?? [];
  const hash = createHash("sha256").update(style).digest("base64");
  assert.ok(headers["content-security-policy"]?.startsWith(`default-src 'none'; style-src 'sha256-${hash}';`));
  assert.ok(headers["content-security-policy"]?.includes("form-action 'self'"));
  assert.doesNotMatch(body, /<script|<link|<img|url\(|@import| style=| on[a-z]+=/);
});

test("assistive technology can read the page", () => {
  const body = page(troubledView());
  assert.match(body, /<html lang="en">/);
  assert.match(body, /<title>worker-7<\/title>/);
  const ids = [...body.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
  assert.equal(new Set(ids).size, ids.length, "ids are unique");
  for (const [, id] of body.matchAll(/aria-labelledby="([^"]+)"/g)) assert.ok(ids.includes(id), id);
  assert.equal(body.match(/<th(?! scope=)[ >]/g), null);
  assert.equal(body.match(/<main>/g)?.length, 1);
  // Every part that scrolls sideways can be reached with the keyboard.
  assert.equal(body.match(/class="scroll"/g)?.length, body.match(/tabindex="0"/g)?.length);
});

function manyVms(count: number): AgentView {
  const vms = Array.from({ length: count }, (_, index) => vm("many", `vm-${String(index).padStart(3, "0")}`, index));
  const { libvirt } = agentView();
  return agentView({ libvirt: { ...libvirt, endpoints: [launcher("x", vms)] } });
}

test("the VMs of a node are on pages of 200, with links that keep the other settings", () => {
  const view = manyVms(450);
  const names = (query: string) => texts(page(view, query)).filter((text) => text.startsWith("many/vm-"));
  assert.deepEqual([names("").length, names("page=2").length, names("page=3").length], [200, 200, 50]);
  assert.equal(names("page=2")[0], "many/vm-200");
  assert.ok(texts(page(view, "page=2")).includes("VMs 201 to 400 of 450."));
  const html = page(view, "page=2&refresh=off");
  const links = [...html.matchAll(/<a href="(\/[^"]*)">(First|Previous|Next|Last|Turn on)</g)].map(([, to, name]) => [
    name,
    to,
  ]);
  assert.deepEqual(links, [
    ["First", "/?refresh=off"],
    ["Previous", "/?refresh=off"],
    ["Next", "/?page=3&#38;refresh=off"],
    ["Last", "/?page=3&#38;refresh=off"],
    ["Turn on", "/?page=2"],
  ]);
});

test("a page that does not exist is the nearest one, and 200 VMs have no links", () => {
  const view = manyVms(450);
  for (const [query, number] of [
    ["page=0", 1],
    ["page=-1", 1],
    ["page=x", 1],
    ["page=999999", 3],
    ["page=1e9", 1],
  ] as const)
    assert.equal(page(view, query), page(view, `page=${number}`), query);
  assert.doesNotMatch(page(manyVms(200)), />Next</);
});

test("a search shows the VMs with this part in their name, in any case, and keeps the other settings", () => {
  const view = manyVms(450);
  const html = page(view, "q=VM-44&sort=memory&page=7&refresh=off");
  const shown = texts(html);
  assert.equal(shown.filter((text) => text.startsWith("many/vm-44")).length, 10);
  assert.ok(shown.includes("10 found."));
  for (const input of ['name="q" value="VM-44"', 'name="sort" value="memory"', 'name="refresh" value="off"'])
    assert.ok(html.includes(input), input);
  assert.match(html, /<a href="\/\?sort=memory&#38;refresh=off">Show all<\/a>/);
  assert.ok(texts(page(view, "q=nothing")).includes("No VM has this in its name."));
});

test("a hostile search cannot break out of the page, and a long one is cut", () => {
  const html = page(agentView(), `q=${encodeURIComponent(`"><script>${"x".repeat(9_000)}`)}`);
  assert.doesNotMatch(html, /<script|"x|x{501}/);
});

test("a search for the longest name that Kubernetes allows finds its VM", () => {
  const { libvirt } = agentView();
  const [namespace, name] = ["n".repeat(63), "v".repeat(253)];
  const view = agentView({ libvirt: { ...libvirt, endpoints: [launcher("pod", [vm(namespace, name, 1)])] } });
  const html = page(view, `q=${encodeURIComponent(`${namespace}/${name}`)}`);
  assert.ok(texts(html).includes("1 found."));
  assert.match(html, / maxlength="500"/);
});

test("the VMs are sorted by the column whose link was chosen, unknown values last", () => {
  const vms = [
    vm("a", "small", 1, { memoryMiB: 10 }),
    vm("a", "large", 2, { memoryMiB: 99 }),
    vm("a", "medium", 3, { memoryMiB: 50 }),
  ];
  const none = vm("a", "none", 4);
  const unknown = { ...none, after: { ...none.after, memory: { ...none.after.memory, current: undefined } } };
  const { libvirt } = agentView();
  const view = agentView({
    libvirt: { ...libvirt, endpoints: [launcher("x", [unknown, ...vms])] },
    history: { of: () => undefined, latest: (_, uuid) => Number(uuid.at(-1)) },
  });
  const names = (query: string) => texts(page(view, query)).filter((text) => text.startsWith("a/"));
  assert.deepEqual(names("sort=memory"), ["a/large", "a/medium", "a/small", "a/none"]);
  assert.deepEqual(names("sort=network"), ["a/none", "a/medium", "a/large", "a/small"]);
  assert.deepEqual(names("sort=constructor"), names(""));
  assert.match(
    page(view, "sort=cpu"),
    /<th scope="col" +class="n" aria-sort="descending">\s*<a href="\/\?sort=cpu">CPU</,
  );
});

test("readers cannot make more than a few different pages of a second, and the first page is always made", () => {
  const pages = statusPages(manyVms(450));
  const statuses = Array.from({ length: 30 }, (_, index) => pages["/"](new URLSearchParams(`q=${index}`)).status);
  assert.equal(statuses.filter((status) => status === 503).length, 22);
  for (const query of ["", "refresh=off", "page=1&sort=name", "unknown=1"])
    assert.equal(pages["/"](new URLSearchParams(query)).status, undefined, query);
  assert.equal(pages["/status.json"](new URLSearchParams()).status, undefined);
  const busy = pages["/vm"](new URLSearchParams("name=many/vm-001"));
  assert.deepEqual([busy.status, busy.headers?.["retry-after"]], [503, "1"]);
  assert.match(busy.body, /Request this one again in a second/);
  assert.match(busy.body, /http-equiv="refresh"/);
  assert.equal(pages["/status.json"](new URLSearchParams("page=2")).type, "text/plain; charset=utf-8");
});

test("a page that is rejected does not search the VMs first", (t) => {
  const pages = statusPages(manyVms(450));
  const ask = (query: string) => pages["/"](new URLSearchParams(query));
  assert.equal(ask("q=vm-4&sort=cpu&page=2").status, undefined);
  for (let index = 0; index < 8; index++) ask(`q=${index}`);
  const { mock } = t.mock.method(String.prototype, "toLowerCase");
  const searched = (): boolean => mock.calls.some(({ this: text }) => String(text).startsWith("many/"));
  for (const path of ["/", "/status.json"] as const)
    assert.equal(pages[path](new URLSearchParams("q=new&page=2")).status, 503);
  // A page that does not exist is still the nearest one, which is known.
  assert.equal(ask("q=vm-4&sort=cpu&page=99").status, undefined);
  assert.equal(ask("page=99&sort=unknown").status, 503);
  assert.equal(ask("page=0").status, undefined);
  assert.equal(searched(), false);
});

test("names and errors of any length are cut, and a character is not cut in half", () => {
  const long = "<".repeat(3_000_000);
  const { libvirt } = agentView();
  const error = { code: "E_LIBVIRT_ERROR", message: long };
  const vms = [vm(long, long, 1), vm("", `${"a".repeat(498)}\u{1F600}\u{1F600}`, 2)];
  const endpoints = [launcher("x", vms, { state: "failed", stuck: [long], error })];
  const body = page(agentView({ node: long, libvirt: { ...libvirt, endpoints } }));
  assert.ok(body.length < 50_000, String(body.length));
  assert.ok(body.includes(`${"&#60;".repeat(499)}…`));
  assert.ok(body.isWellFormed());
});

test("of many problems and daemons the page shows a part, those that failed first", () => {
  const { libvirt } = agentView();
  const endpoints = Array.from({ length: 300 }, (_, index) =>
    launcher(String(index), [], index < 240 ? {} : { state: "failed", error: { code: "E_X", message: "x" } }),
  );
  const shown = texts(page(agentView({ libvirt: { ...libvirt, endpoints } })));
  assert.ok(shown.includes("60 problems"));
  assert.ok(shown.includes("and 10 more"));
  assert.ok(shown.includes("200 of 300 libvirt daemons. Those that are not up come first."));
  assert.equal(shown.filter((text) => text === "failed").length, 60);
});
