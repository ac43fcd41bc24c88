import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { end } from "./process.ts";

const OPTIONS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--hide-scrollbars",
  "--remote-debugging-port=0",
];

/** The fields of DevTools answers and events that this file uses. */
interface Reply {
  readonly targetId: string;
  readonly sessionId: string;
  readonly root: { readonly nodeId: number };
  readonly nodeId: number;
  readonly nodeIds: readonly number[];
  readonly model: { readonly content: readonly number[] };
  readonly outerHTML: string;
  readonly computedStyle: readonly { readonly name: string; readonly value: string }[];
  readonly nodes: readonly { readonly role?: { readonly value: string }; readonly name?: { readonly value: string } }[];
  readonly cssContentSize: { readonly width: number; readonly height: number };
  readonly data: string;
  readonly entry: { readonly text: string };
}

interface Message {
  /** Id of the request. */
  readonly id?: number;
  readonly result?: Reply;
  readonly error?: { readonly message: string };
  /** Name of an event. */
  readonly method?: string;
  readonly params?: Reply;
}

export interface ScreenshotOptions {
  readonly width: number;
  readonly height: number;
  readonly scheme?: "light" | "dark";
}

/** A real browser with scripts disabled, controlled over the DevTools protocol. */
export class Chromium implements AsyncDisposable {
  /** Its messages about pages, such as a style that their policy forbids. */
  readonly complaints: string[] = [];
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, PromiseWithResolvers<Reply>>();
  #session: string | undefined;
  #loaded = Promise.withResolvers<undefined>();
  #questions = 0;

  private constructor(child: ChildProcess, profile: string, socket: WebSocket) {
    this.#child = child;
    this.#profile = profile;
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      this.#received(JSON.parse(String(data)) as Message);
    });
  }

  static async start(): Promise<Chromium> {
    const profile = await mkdtemp(path.join(tmpdir(), "chromium-"));
    const child = spawn("chromium", [...OPTIONS, `--user-data-dir=${profile}`], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const socket = new WebSocket(await endpointOf(child));
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", reject);
    });
    const chromium = new Chromium(child, profile, socket);
    const { targetId } = await chromium.#ask("Target.createTarget", { url: "about:blank" });
    chromium.#session = (await chromium.#ask("Target.attachToTarget", { targetId, flatten: true })).sessionId;
    for (const domain of ["Page", "Log", "DOM", "CSS", "Accessibility"]) await chromium.#ask(`${domain}.enable`);
    await chromium.#ask("Emulation.setScriptExecutionDisabled", { value: true });
    return chromium;
  }

  /** Loads a page. */
  async open(url: string): Promise<void> {
    this.#loaded = Promise.withResolvers();
    await this.#ask("Page.navigate", { url });
    await this.#loaded.promise;
  }

  /** Resolves to the HTML of the loaded page. */
  async dom(): Promise<string> {
    const { root } = await this.#ask("DOM.getDocument");
    return (await this.#ask("DOM.getOuterHTML", { nodeId: root.nodeId })).outerHTML;
  }

  /** Resolves to a computed style property of an element. */
  async style(selector: string, property: string): Promise<string | undefined> {
    const { root } = await this.#ask("DOM.getDocument");
    const { nodeId } = await this.#ask("DOM.querySelector", { nodeId: root.nodeId, selector });
    const { computedStyle } = await this.#ask("CSS.getComputedStyleForNode", { nodeId });
    return computedStyle.find(({ name }) => name === property)?.value;
  }

  /** Resolves to the left and right edge of each element, in pixels of the page. */
  async edges(selector: string): Promise<readonly { readonly left: number; readonly right: number }[]> {
    const { root } = await this.#ask("DOM.getDocument");
    const { nodeIds } = await this.#ask("DOM.querySelectorAll", { nodeId: root.nodeId, selector });
    const models = await Promise.all(nodeIds.map((nodeId) => this.#ask("DOM.getBoxModel", { nodeId })));
    // A box is four corners, clockwise from the upper left.
    return models.map(({ model: { content } }) => ({
      left: content[0] ?? Number.NaN,
      right: content[2] ?? Number.NaN,
    }));
  }

  /** Resolves to the width of the page, including the parts that need scrolling. */
  async contentWidth(): Promise<number> {
    return (await this.#ask("Page.getLayoutMetrics")).cssContentSize.width;
  }

  /** Resolves to the height of the page, including the parts that need scrolling. */
  async contentHeight(): Promise<number> {
    return (await this.#ask("Page.getLayoutMetrics")).cssContentSize.height;
  }

  /** Resolves to the accessible names of the elements of a role. */
  async named(role: string): Promise<readonly string[]> {
    const { nodes } = await this.#ask("Accessibility.getFullAXTree");
    return nodes.filter((node) => node.role?.value === role).map(({ name }) => name?.value ?? "");
  }

  /** Resolves to a screenshot of a window of this size, as PNG. */
  async screenshot({ width, height, scheme = "light" }: ScreenshotOptions): Promise<Buffer> {
    await this.#ask("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
    await this.#ask("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
    return Buffer.from((await this.#ask("Page.captureScreenshot", { format: "png" })).data, "base64");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await end(this.#child);
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  #ask(method: string, params: object = {}): Promise<Reply> {
    const id = ++this.#questions;
    const answer = Promise.withResolvers<Reply>();
    this.#answers.set(id, answer);
    const sessionId = this.#session;
    this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) }));
    return answer.promise;
  }

  #received({ id, method, params, result, error }: Message): void {
    if (method === "Page.loadEventFired") this.#loaded.resolve(undefined);
    if (method === "Log.entryAdded") this.complaints.push(params?.entry.text ?? "");
    const answer = id === undefined ? undefined : this.#answers.get(id);
    if (result !== undefined) answer?.resolve(result);
    else if (error !== undefined) answer?.reject(new Error(error.message));
  }
}

/** Reads the DevTools address from its error output. */
function endpointOf({ stderr }: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    if (stderr === null) throw new Error("its output is not to be had");
    const lines = createInterface({ input: stderr });
    lines.on("line", (line) => {
      const [, url] = /^DevTools listening on (ws:\S+)$/.exec(line) ?? [];
      if (url !== undefined) resolve(url);
    });
    lines.once("close", () => {
      reject(new Error("chromium has ended"));
    });
  });
}
