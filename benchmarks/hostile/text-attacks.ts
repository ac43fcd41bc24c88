import { randomBytes } from "node:crypto";
import { PROCEDURE } from "../../src/libvirt/protocol.ts";
import { SyntheticDomain } from "../../src/simulator/synthetic-domain.ts";
import type { LauncherAttack } from "./attack.ts";

/** Calls that only open the connection: they are answered, so that the texts of the others come. */
const OPENING: ReadonlySet<number> = new Set([
  PROCEDURE.AUTH_LIST,
  PROCEDURE.CONNECT_SUPPORTS_FEATURE,
  PROCEDURE.CONNECT_OPEN,
  PROCEDURE.CONNECT_GET_LIB_VERSION,
]);
/** Colour, bell, a bidirectional override, a newline with a forged log line. */
const CONTROL = '\u001b[31m\u0007\u202e\n{"level":"error","msg":"forged"}';

/** Texts for log, page and report. */
export const TEXT_ATTACKS: readonly LauncherAttack[] = [
  {
    name: "random-errors",
    row: "F11",
    what: "200 domains of which every call is refused with another text",
    behave: ({ host, domain }) => {
      for (let index = 0; index < 200; index++)
        host.domains.set(
          String(index),
          new SyntheticDomain(index + 1, { nics: 1, disks: 1, seed: 7 }, { name: domain }),
        );
      return refuse(PROCEDURE.CONNECT_LIST_ALL_DOMAINS);
    },
  },
  {
    name: "random-refusals",
    row: "F11",
    what: "every list of domains is refused with another text",
    behave: () => refuse(),
  },
  {
    name: "control-characters",
    row: "F13",
    what: "every list of domains is refused with colours, bells, reversed text and a forged log line",
    behave: () => refuse(undefined, () => CONTROL),
  },
];

/** Refuses all calls after the connection is open, except one procedure. */
function refuse(
  except?: number,
  text = (): string => randomBytes(400).toString("hex"),
): ReturnType<LauncherAttack["behave"]> {
  return {
    answer: ({ procedure, fail }) => {
      if (OPENING.has(procedure) || procedure === except) return false;
      fail(text());
      return true;
    },
  };
}
