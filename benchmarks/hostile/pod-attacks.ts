import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { DirectoryAttack } from "./attack.ts";

const PODS = 1_000;

export const POD_ATTACKS: readonly DirectoryAttack[] = [
  {
    name: "fresh-pods",
    row: "-",
    what: "1,000 new pods without a launcher for each attacker",
    fill: async (podsDir, attacker) => {
      for (let pod = 0; pod < PODS; pod++)
        await mkdir(path.join(podsDir, `fresh-${attacker}-${pod}`, "volumes"), { recursive: true });
    },
  },
];
