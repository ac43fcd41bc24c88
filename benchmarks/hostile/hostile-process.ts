// Runs one kind of attack with a number of attackers, in a process of its own, until its parent ends it.
import { mkdir } from "node:fs/promises";
import type { Attack, LauncherAttack, Victim } from "./attack.ts";
import { ATTACKS } from "./attacks.ts";
import { guestOf, hostOf } from "./guests.ts";
import { serveHostile } from "./hostile-launcher.ts";
import { domainOf, honestVms, hostileVms, runtimeDirectory, socketOf } from "./plan.ts";

const [name = "", count = "", podsDir = "", port = ""] = process.argv.slice(2);
process.once("disconnect", () => process.exit());
const attack = ATTACKS.find((each) => each.name === name);
if (attack === undefined) throw new Error(`there is no attack ${name}`);
let connections = 0;
const connected = (): void => {
  connections++;
};
await start(attack, Number(count));
process.send?.("ready");
setInterval(() => process.send?.(connections), 500);

async function start(attack: Attack, attackers: number): Promise<void> {
  if ("behave" in attack) await startLaunchers(attack, attackers);
  else
    for (let attacker = 0; attacker < attackers; attacker++) {
      if ("flood" in attack) attack.flood(Number(port), connected);
      else await attack.fill(podsDir, attacker);
    }
}

async function startLaunchers({ behave }: LauncherAttack, attackers: number): Promise<void> {
  const launchers = hostileVms(attackers).map((vm, index) => {
    const host = hostOf(vm);
    const socket = socketOf(podsDir, vm);
    return { vm, socket, host, behaviour: behave({ socket, domain: domainOf(vm), host, victim: victimOf(index) }) };
  });
  // All behaviours are ready before the first pod appears.
  for (const { vm, socket, host, behaviour } of launchers) {
    await mkdir(runtimeDirectory(podsDir, vm), { recursive: true });
    await serveHostile({ socketPath: socket, host, behaviour, connected });
  }
}

/** Every attacker has a victim of its own. */
function victimOf(index: number): Victim {
  const vms = honestVms();
  const vm = vms[index % vms.length];
  if (vm === undefined) throw new Error("there are no honest VMs");
  return { socket: socketOf(podsDir, vm), domain: domainOf(vm), uuid: guestOf(vm).ref.uuid };
}
