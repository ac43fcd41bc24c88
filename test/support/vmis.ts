import type { Vmi } from "../../src/discovery/vmi.ts";

/** Returns a VMI: `shop/web`, which runs in `pod-1` on `node-1`, with the given changes. */
export function vmi(change: Partial<Vmi> = {}): Vmi {
  return {
    namespace: "shop",
    name: "web",
    uid: "u1",
    firmwareUuid: undefined,
    labels: {},
    annotations: {},
    nodeName: "node-1",
    pods: ["pod-1"],
    ...change,
  };
}
