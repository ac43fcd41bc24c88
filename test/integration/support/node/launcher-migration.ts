import { readFileSync } from "node:fs";
import type { KubeNode } from "./kube-node.ts";
import type { LauncherPod } from "./launcher-pod.ts";
import type { LauncherVm, VmiVersion } from "./launcher-vm.ts";

/** A version of a VMI as recorded. */
interface RecordedVersion {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly status: {
    readonly activePods: Readonly<Record<string, string>>;
    readonly migrationState?: MigrationState;
  };
}

interface MigrationState {
  readonly sourcePod: string;
  readonly targetPod: string;
  readonly startTimestamp?: string;
  readonly targetNodeDomainDetected?: boolean;
  readonly targetNodeDomainReadyTimestamp?: string;
}

/** Every version of a VMI that migrated on KubeVirt 1.9 from node2 to node1 and back. */
const RECORDED = "test/fixtures/kubevirt-1.9/migrations.json";
const [HERE, THERE] = ["node2", "node1"];
/** The label is there from the time when the target's pod is ready to the end of the migration. */
const TARGET_LABEL = "kubevirt.io/migrationTargetNodeName";

/**
 * Migrates a VM live to another node and back. Writes the versions of a recorded VMI, each as soon as it is true of the launchers.
 * `mibPerSecond` limits the migrations, so that the guest is on both nodes for some time.
 */
export async function migrateThereAndBack(vm: LauncherVm, there: KubeNode, mibPerSecond: number): Promise<void> {
  const replay = new Replay(vm, there, mibPerSecond);
  for (const version of JSON.parse(readFileSync(RECORDED, "utf8")) as RecordedVersion[]) await replay.write(version);
}

class Replay {
  readonly #vm: LauncherVm;
  readonly #here: KubeNode;
  readonly #there: KubeNode;
  readonly #mibPerSecond: number;
  /** Recorded name or UID -> the one in this cluster. */
  readonly #names: Map<string, string>;
  /** The launcher that the guest leaves; undefined before the first migration. */
  #source: LauncherPod | undefined;
  #migrated: Promise<void> | undefined;

  constructor(vm: LauncherVm, there: KubeNode, mibPerSecond: number) {
    this.#vm = vm;
    this.#here = vm.launcher.node;
    this.#there = there;
    this.#mibPerSecond = mibPerSecond;
    this.#names = new Map([
      [HERE, this.#here.name],
      [THERE, there.name],
    ]);
  }

  async write(version: RecordedVersion): Promise<void> {
    const { metadata, status } = version;
    await this.#prepareLauncher(status.activePods);
    const state = TARGET_LABEL in metadata.labels ? status.migrationState : undefined;
    if (state !== undefined) await this.#reach(state);
    await this.#vm.write(translate(version, this.#names));
    if (state?.startTimestamp !== undefined) this.#start();
  }

  /** Creates the launcher that a version is the first to list. It is Ready when a version says on which node it is. */
  async #prepareLauncher(activePods: Readonly<Record<string, string>>): Promise<void> {
    const [podUid = "", node] = Object.entries(activePods).at(-1) ?? [];
    const isFirst = Object.keys(activePods).length === 1;
    if (!isFirst && !this.#names.has(podUid)) {
      this.#source = this.#vm.launcher;
      this.#migrated = undefined;
      await this.#vm.addLauncher(this.#source.node === this.#here ? this.#there : this.#here);
    }
    this.#names.set(podUid, this.#vm.launcher.uid);
    if (node !== "") await this.#vm.launcher.ready();
  }

  /** Waits until the migration is as far as a version says. */
  async #reach(state: MigrationState): Promise<void> {
    const { launcher } = this.#vm;
    if (this.#source !== undefined)
      this.#names.set(state.sourcePod, this.#source.name).set(state.targetPod, launcher.name);
    if (state.targetNodeDomainReadyTimestamp !== undefined) await this.#migrated;
    else if (state.targetNodeDomainDetected === true) await Promise.race([launcher.domainAppears(), this.#migrated]);
  }

  #start(): void {
    this.#migrated ??= this.#source?.migrate(this.#vm.launcher, this.#mibPerSecond);
    // A failure is thrown where the end is awaited.
    this.#migrated?.catch(() => undefined);
  }
}

/** Returns a recorded version with the names of this cluster and without the labels of the recorded VM. */
function translate({ metadata, status }: RecordedVersion, names: ReadonlyMap<string, string>): VmiVersion {
  const labels = Object.fromEntries(Object.entries(metadata.labels).filter(([key]) => key.startsWith("kubevirt.io/")));
  let text = JSON.stringify({ labels, status });
  for (const [recorded, here] of names) text = text.replaceAll(`"${recorded}"`, `"${here}"`);
  return JSON.parse(text) as VmiVersion;
}
