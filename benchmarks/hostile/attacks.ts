import type { Attack } from "./attack.ts";
import { DEVICE_ATTACKS } from "./device-attacks.ts";
import { FLOOD_ATTACKS } from "./flood-attacks.ts";
import { IDENTITY_ATTACKS } from "./identity-attacks.ts";
import { NAME_ATTACKS } from "./name-attacks.ts";
import { POD_ATTACKS } from "./pod-attacks.ts";
import { PORT_ATTACKS } from "./port-attacks.ts";
import { REPLY_ATTACKS } from "./reply-attacks.ts";
import { TEXT_ATTACKS } from "./text-attacks.ts";
import { XML_ATTACKS } from "./xml-attacks.ts";

/** All kinds of attacks, in the order of the table. */
export const ATTACKS: readonly Attack[] = [
  ...IDENTITY_ATTACKS,
  ...REPLY_ATTACKS,
  ...NAME_ATTACKS,
  ...DEVICE_ATTACKS,
  ...XML_ATTACKS,
  ...FLOOD_ATTACKS,
  ...TEXT_ATTACKS,
  ...POD_ATTACKS,
  ...PORT_ATTACKS,
];
