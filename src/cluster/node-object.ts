import type { Labels } from "../config/selectors.ts";
import type { KubeClient } from "../kubernetes/api.ts";
import { rejection } from "../kubernetes/answer.ts";
import { metadataOf } from "../kubernetes/kube-object.ts";
import type { Clock } from "../lib/clock.ts";
import { nodePath } from "./kinds.ts";

export interface NodeObject {
  readonly uid: string;
  readonly labels: Labels;
}

/** The labels of a Node change rarely, and a watch would bring the kubelet's heartbeats every few seconds. */
const FRESH_MS = 600_000;

/** The Node object of this node, read when it is needed and cached for some minutes. */
export class OwnNode {
  readonly name: string;
  readonly #client: KubeClient;
  readonly #clock: Clock;
  #known: { readonly node: NodeObject; readonly atMs: number } | undefined;

  constructor(client: KubeClient, name: string, clock: Clock) {
    this.#client = client;
    this.name = name;
    this.#clock = clock;
  }

  /** @throws {KubeError} if the API server does not return the Node */
  async get(): Promise<NodeObject> {
    if (this.#known !== undefined && this.#clock.monotonic() - this.#known.atMs < FRESH_MS) return this.#known.node;
    const answer = await this.#client.request({ path: nodePath(this.name) });
    if (answer.status !== 200) throw rejection(answer, `the Node ${this.name} cannot be read`);
    const { uid, labels } = metadataOf(answer.body);
    const node = { uid: String(uid), labels: (labels ?? {}) as Labels };
    this.#known = { node, atMs: this.#clock.monotonic() };
    return node;
  }

  /** Drops the cached Node, so that the next `get` reads it. */
  forget(): void {
    this.#known = undefined;
  }
}
