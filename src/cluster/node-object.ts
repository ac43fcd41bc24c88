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

/** Labels of nodes change rarely, and a watch of it would bring the kubelet's heartbeats every few seconds. */
const FRESH_MS = 600_000;

/** This node's own Node, asked for when it is needed and some minutes old. */
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

  /** @throws {KubeError} when the API server gives no Node */
  async get(): Promise<NodeObject> {
    if (this.#known !== undefined && this.#clock.monotonic() - this.#known.atMs < FRESH_MS) return this.#known.node;
    const answer = await this.#client.request({ path: nodePath(this.name) });
    if (answer.status !== 200) throw rejection(answer, `the Node ${this.name} cannot be read`);
    const { uid, labels } = metadataOf(answer.body);
    const node = { uid: String(uid), labels: (labels ?? {}) as Labels };
    this.#known = { node, atMs: this.#clock.monotonic() };
    return node;
  }

  /** What is known may be wrong: the next one who asks gets what there is then. */
  forget(): void {
    this.#known = undefined;
  }
}
