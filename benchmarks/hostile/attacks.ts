import type { Attack } from "./attack.ts";
import { FLOOD_ATTACKS } from "./flood-attacks.ts";
import { NAME_ATTACKS } from "./name-attacks.ts";
import { REPLY_ATTACKS } from "./reply-attacks.ts";

/** All kinds of attacks, in the order of the table. */
export const ATTACKS: readonly Attack[] = [...REPLY_ATTACKS, ...NAME_ATTACKS, ...FLOOD_ATTACKS];
