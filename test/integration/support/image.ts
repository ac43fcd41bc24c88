import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { run } from "./process.ts";

export interface ImageConfig {
  readonly User: string;
  readonly Entrypoint: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
}

export interface RunOptions {
  /** `uid:gid`. */
  readonly user: string;
  /** Capabilities, besides those that entering the container needs. */
  readonly capabilities?: readonly string[];
  /** Path in the container -> directory here, with `:ro` for read-only. */
  readonly mounts?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

/** A container without a runtime. Its root is the image, read-only; so are mounts with `:ro`. */
const CONTAINER = `set -e
mount --bind "$ROOTFS" "$ROOTFS"
mount --bind /proc "$ROOTFS/proc"
for mount in $MOUNTS; do
  mount --bind "\${mount#*=}" "$ROOTFS\${mount%%=*}"
done
mount -o remount,bind,ro "$ROOTFS"
for mount in $READONLY; do
  mount -o remount,bind,ro "$ROOTFS$mount"
done
exec setpriv --no-new-privs --bounding-set="$BOUNDING" --inh-caps=-all chroot --userspec="$USERSPEC" "$ROOTFS" "$@"
`;
const SOURCES = ["Dockerfile", ".dockerignore", "LICENSE", "package.json", "package-lock.json", "scripts", "src"];
/** Capabilities for changing into the container's root and user. */
const TO_GET_IN = ["sys_chroot", "setuid", "setgid"];

/**
 * The image of the Dockerfile, built by buildah. Many test machines cannot reach a registry, so its base images are replaced by
 * this machine's Node with its libraries, and the packages that are installed here.
 */
export class Image implements AsyncDisposable {
  readonly id: string;
  readonly config: ImageConfig;
  readonly rootfs: string;
  readonly #store: Store;

  private constructor(store: Store, id: string, config: ImageConfig, rootfs: string) {
    this.#store = store;
    this.id = id;
    this.config = config;
    this.rootfs = rootfs;
  }

  /** Builds the image in a new directory of `directory`. */
  static async build(version: string, directory = tmpdir()): Promise<Image> {
    const store = new Store(await mkdtemp(path.join(directory, "image-")));
    try {
      await store.takeSources();
      await store.makeStandIns();
      const id = await store.build(version);
      const inspected = await store.buildah("inspect", "--type", "image", id);
      const { config } = (JSON.parse(inspected) as { OCIv1: { config: ImageConfig } }).OCIv1;
      const container = (await store.buildah("from", id)).trim();
      return new Image(store, id, config, (await store.buildah("mount", container)).trim());
    } catch (error) {
      await store[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Builds the image again; resolves to the digest. */
  rebuild(version: string): Promise<string> {
    return this.#store.build(version);
  }

  /** Writes the image to a docker archive, under this name. */
  async writeArchive(file: string, name: string): Promise<void> {
    await this.#store.buildah("push", "--quiet", this.id, `docker-archive:${file}:${name}`);
  }

  /** Runs the image to its end; resolves to its output. */
  async run(options: RunOptions, ...args: string[]): Promise<string> {
    const [program, ...rest] = await this.command(options, ...args);
    return run(program, ...rest);
  }

  /** Returns the command that runs the image. */
  async command(
    { user, capabilities = [], mounts = {}, env = {} }: RunOptions,
    ...args: string[]
  ): Promise<[string, ...string[]]> {
    const { rootfs } = this;
    // The devices that a runtime creates.
    for (const at of ["/proc", ...Object.keys(mounts)]) await mkdir(path.join(rootfs, at), { recursive: true });
    const places = Object.entries(mounts).map(([at, from]) => ({ at, from: from.replace(/:ro$/, ""), full: from }));
    const variables = {
      ROOTFS: rootfs,
      MOUNTS: places.map(({ at, from }) => `${at}=${from}`).join(" "),
      READONLY: places.flatMap(({ at, full }) => (full.endsWith(":ro") ? [at] : [])).join(" "),
      BOUNDING: ["-all", ...[...TO_GET_IN, ...capabilities].map((capability) => `+${capability}`)].join(","),
      USERSPEC: user,
      PATH: process.env["PATH"] ?? "",
      ...env,
    };
    const given = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    const container = ["unshare", "--mount", "sh", "-c", CONTAINER, "sh", ...this.config.Entrypoint, ...args];
    return ["env", "--ignore-environment", ...given, ...container];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}

/** Storage of buildah. */
class Store implements AsyncDisposable {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  buildah(...args: string[]): Promise<string> {
    const where = ["--root", `${this.#dir}/store`, "--runroot", `${this.#dir}/run`, "--storage-driver", "vfs"];
    return run("buildah", ...where, ...args);
  }

  build(version: string): Promise<string> {
    const args = [`BUILD_IMAGE=localhost/build`, `BASE_IMAGE=localhost/base`, `VERSION=${version}`];
    const packages = `${process.cwd()}/node_modules:/node_modules:ro`;
    return this.#bud(`${this.#dir}/sources`, ...args.flatMap((arg) => ["--build-arg", arg]), "--volume", packages);
  }

  /** A copy, so that the sources are the same in both builds. */
  async takeSources(): Promise<void> {
    for (const part of SOURCES) await cp(part, path.join(this.#dir, "sources", part), { recursive: true });
  }

  async makeStandIns(): Promise<void> {
    const node = realpathSync(process.execPath);
    const base = path.join(this.#dir, "base");
    await copyProgram(base, node, "/nodejs/bin/node");
    await this.#standIn("base", base);
    const build = path.join(this.#dir, "build");
    await copyProgram(build, node, "/usr/local/bin/node");
    await copyProgram(build, realpathSync("/bin/sh"), "/bin/sh");
    await copyProgram(build, "/bin/ln", "/bin/ln");
    await writeFile(`${build}/usr/local/bin/npm`, "#!/bin/sh\nexec ln -s /node_modules node_modules\n", {
      mode: 0o755,
    });
    await this.#standIn("build", build);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.buildah("rm", "--all").catch(() => undefined);
    await rm(this.#dir, { recursive: true, force: true, maxRetries: 5 });
  }

  async #standIn(name: string, directory: string): Promise<void> {
    const file = path.join(this.#dir, `${name}.containerfile`);
    await writeFile(file, "FROM scratch\nCOPY . /\nENV PATH=/usr/local/bin:/bin\n");
    await this.#bud(directory, "--tag", `localhost/${name}`, "--file", file);
  }

  /** Resolves to the digest. The time is fixed, so that the same content is the same image. */
  async #bud(directory: string, ...args: string[]): Promise<string> {
    const always = ["--isolation", "chroot", "--timestamp", "0", "--no-cache", "--quiet"];
    return (await this.buildah("bud", ...always, ...args, directory)).trim();
  }
}

/** Copies a program with its libraries to the paths of its loader. */
async function copyProgram(root: string, program: string, at: string): Promise<void> {
  const loaded = await run("ldd", program);
  const libraries = [...loaded.matchAll(/(\/\S+) \(0x/g)].flatMap(([, library]) => library ?? []);
  for (const [from, to] of [[program, at], ...libraries.map((library) => [library, library])] as [string, string][]) {
    await mkdir(path.join(root, path.dirname(to)), { recursive: true });
    await cp(realpathSync(from), path.join(root, to));
  }
}
