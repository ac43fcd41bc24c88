import { NodeCluster } from "./node-cluster.ts";
import { PAUSE_IMAGE } from "./node-files.ts";

// A program with a cluster of one node and a pod, for the test that kills it. Its output is the name of the cluster's network.

const cluster = await NodeCluster.start();
await cluster.addNode("node-a");
await cluster.kube.kubectl("run", "pod", `--image=${PAUSE_IMAGE}`);
await cluster.kube.kubectl("wait", "pod/pod", "--for=condition=Ready", "--timeout=60s");
console.log(cluster.network.name);
setInterval(() => undefined, 60_000);
