import type { Socket } from "node:net";
import type { SimulatedHost } from "../../src/simulator/simulated-host.ts";
import type { XdrWriter } from "../../src/libvirt/xdr.ts";

/** A pod of the attacker, and what it knows about the node. */
export interface Pod {
  readonly socket: string;
  /** The name of the domain that KubeVirt has given to its VM. */
  readonly domain: string;
  /** Answers the calls that the attack does not answer itself. It has the VM's domain. */
  readonly host: SimulatedHost;
  readonly victim: Victim;
}

/** A VM of another tenant. Names and UUIDs are no secrets. */
export interface Victim {
  readonly socket: string;
  readonly domain: string;
  readonly uuid: string;
}

/** A call of the agent. */
export interface ReceivedCall {
  readonly procedure: number;
  readonly serial: number;
  readonly socket: Socket;
  readonly reply: (write: (writer: XdrWriter) => void) => void;
  readonly fail: (message: string) => void;
}

/** What a launcher does instead of what libvirt does. */
export interface Behaviour {
  /** Answers a call, or leaves it without an answer. Returns false if the simulator is to answer. */
  readonly answer?: (call: ReceivedCall) => boolean;
  /** Is called for every connection. */
  readonly connected?: (socket: Socket) => void;
  /** How often the daemon ends with its connections and starts again, in milliseconds. */
  readonly restartMs?: number;
  /** The socket is a link to this path. */
  readonly linkTo?: string;
}

/** A kind of attack by launchers. */
export interface LauncherAttack {
  readonly name: string;
  /** The row of the review that has found it. */
  readonly row: string;
  readonly what: string;
  /** Whether no VMI lists the pod. */
  readonly stranger?: boolean;
  /** Whether no connection reaches the attacker itself. */
  readonly unreached?: boolean;
  /** Whether the target rejects all requests meanwhile. */
  readonly targetAway?: boolean;
  readonly behave: (pod: Pod) => Behaviour;
}

/** A kind of attack by clients of the status port. */
export interface PortAttack {
  readonly name: string;
  readonly row: string;
  readonly what: string;
  /** Opens the connections of one attacker, and uses them until the process ends. Calls `connected` for each of them. */
  readonly flood: (port: number, connected: () => void) => void;
}

/** A kind of attack by pods without a socket. */
export interface DirectoryAttack {
  readonly name: string;
  readonly row: string;
  readonly what: string;
  /** Creates what one attacker adds to the node's directory of pods. */
  readonly fill: (podsDir: string, attacker: number) => Promise<void>;
}

export type Attack = LauncherAttack | PortAttack | DirectoryAttack;
