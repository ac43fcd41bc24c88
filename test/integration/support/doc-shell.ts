import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { kubernetesPath } from "../../../scripts/provision/cache.ts";
import { docBlocks } from "../../support/docs.ts";
import { NO_PROXY, type KubeCluster } from "./kube.ts";
import { run } from "./process.ts";

/** The shell of a user that follows pages of the documentation on a cluster, with kubectl and helm. */
export class DocShell implements AsyncDisposable {
  /** The texts of the blocks that were run. */
  readonly ran = new Set<string>();
  readonly #cluster: KubeCluster;
  readonly #home: string;

  private constructor(cluster: KubeCluster, home: string) {
    this.#cluster = cluster;
    this.#home = home;
  }

  static async on(cluster: KubeCluster): Promise<DocShell> {
    const home = await mkdtemp(path.join(cluster.directory, "home-"));
    await mkdir(path.join(home, "bin"));
    for (const program of ["kubectl", "helm"] as const)
      await symlink(kubernetesPath(program), path.join(home, "bin", program));
    return new DocShell(cluster, home);
  }

  /** Runs the commands of a page below a heading like a user's copy of them; resolves to their output. */
  async follow(page: string, heading: string): Promise<string> {
    let output = "";
    for (const text of commandsOf(page, heading)) {
      this.ran.add(text);
      output += await this.run(text);
    }
    return output;
  }

  /** Runs commands; resolves to their output, rejects if one fails. */
  run(text: string): Promise<string> {
    const user = { HOME: this.#home, KUBECONFIG: this.#cluster.kubeconfig, INFLUX_TOKEN: "secret", NODE: "node-a" };
    const env = { ...user, NO_PROXY, PATH: `${this.#home}/bin:${process.env["PATH"] ?? ""}` };
    return run("env", ...Object.entries(env).map(([name, value]) => `${name}=${value}`), "sh", "-ec", text);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.#home, { recursive: true, force: true });
  }
}

/** Returns the blocks of commands of a page below a heading that a test can run. There is at least one. */
export function commandsOf(page: string, heading: string): readonly string[] {
  const blocks = docBlocks(page).filter((block) => block.language === "sh" && block.heading === heading);
  const texts = blocks.flatMap(({ text, notRun }) => (notRun === undefined ? text : []));
  assert.notEqual(texts.length, 0, `${page}: ${heading}`);
  return texts;
}
