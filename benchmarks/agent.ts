import type { Family } from "../src/contract.ts";
import { RunningAgent, target1, type AgentConfig } from "../test/integration/support/agent.ts";
import { Deliveries, INTERVAL, workBySignals, type Contender } from "./contender.ts";
import { imageNodeArgs } from "./image.ts";

/** Time until V8 has compiled the code that runs often; a short interval shortens it. */
const WARM_UP = { cycles: 40, interval: "1s" };

export interface AgentForm {
  readonly name: string;
  /** If not given, the four that are on by default. */
  readonly families?: readonly Family[];
  /** If not given, those of the other programs. */
  readonly cycles?: number;
}

/** The bundle with the image's options and, besides the families, the defaults of the configuration. */
export async function startAgent(socket: string, { name, families, cycles }: AgentForm): Promise<Contender> {
  await using resources = new AsyncDisposableStack();
  const deliveries = resources.use(await Deliveries.start("vm_metrics"));
  const config = (interval: string): AgentConfig => ({
    interval,
    targets: target1({ url: deliveries.url, database: "telemetry" }),
    spec: families === undefined ? "" : `    families: [${families.join(", ")}]`,
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
  // A stopped process would not end.
  resources.defer(() => {
    agent.signal("SIGCONT");
  });
  const owned = resources.move();
  return {
    name,
    ...(cycles !== undefined && { cycles }),
    pid: agent.pid,
    deliveries,
    work: (during) => workBySignals(agent.pid, during),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
