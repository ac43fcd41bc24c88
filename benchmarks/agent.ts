import { RunningAgent, target1, type AgentConfig } from "../test/integration/support/agent.ts";
import { Deliveries, INTERVAL, workBySignals, type Contender } from "./contender.ts";
import { imageNodeArgs } from "./image.ts";

/** Until V8 has compiled what runs often; the agent gets there faster at a short interval. */
const WARM_UP = { cycles: 40, interval: "1s" };

/** The bundle as the image runs it, with the defaults of its configuration. */
export async function startAgent(socket: string): Promise<Contender> {
  await using resources = new AsyncDisposableStack();
  const deliveries = resources.use(await Deliveries.start("vm_metrics"));
  const config = (interval: string): AgentConfig => ({
    interval,
    targets: target1({ url: deliveries.url, database: "telemetry" }),
  });
  const agent = resources.use(
    await RunningAgent.start({
      ...config(WARM_UP.interval),
      sockets: [socket],
      args: ["--log-level", "warn"],
      nodeArgs: imageNodeArgs(),
    }),
  );
  await deliveries.next(WARM_UP.cycles);
  await agent.writeConfig(config(INTERVAL));
  agent.signal("SIGHUP");
  await deliveries.next(2);
  agent.signal("SIGSTOP");
  // A process that is stopped would not end.
  resources.defer(() => {
    agent.signal("SIGCONT");
  });
  const owned = resources.move();
  return {
    name: "kubevirt-telemetry agent",
    pid: agent.pid,
    deliveries,
    work: (during) => workBySignals(agent.pid, during),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
