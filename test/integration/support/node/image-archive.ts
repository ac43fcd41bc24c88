import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { run } from "../process.ts";
import { PAUSE_IMAGE } from "./node-files.ts";

/** The static program of Debian's package busybox-static. */
const BUSYBOX = "/usr/bin/busybox";

/** Writes a docker archive with busybox as every program; resolves to its path. Its containers wait unless they have a command. */
export async function busyboxArchive(directory: string): Promise<string> {
  const work = path.join(directory, "busybox");
  await mkdir(path.join(work, "root/bin"), { recursive: true });
  await copyFile(BUSYBOX, path.join(work, "root/bin/busybox"));
  for (const name of (await run(BUSYBOX, "--list")).trim().split("\n"))
    if (name !== "busybox") await symlink("busybox", path.join(work, "root/bin", name)).catch(ignoreExisting);
  return dockerArchive(work, PAUSE_IMAGE, { Env: ["PATH=/bin"], Cmd: ["/bin/sleep", "2147483647"] });
}

/** Writes a docker archive of an image with the files of `root` in this directory; resolves to its path. They belong to root. */
export async function dockerArchive(work: string, name: string, config: object = {}): Promise<string> {
  const archive = path.join(work, "image.tar");
  const layer = ["--directory", `${work}/root`, "--file", `${work}/layer.tar`, "."];
  await run("tar", "--create", "--owner=0", "--group=0", ...layer);
  const digest = createHash("sha256")
    .update(await readFile(`${work}/layer.tar`))
    .digest("hex");
  const image = {
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    config,
    rootfs: { type: "layers", diff_ids: [`sha256:${digest}`] },
  };
  const manifest = [{ Config: "config.json", RepoTags: [name], Layers: ["layer.tar"] }];
  await writeFile(`${work}/config.json`, JSON.stringify(image));
  await writeFile(`${work}/manifest.json`, JSON.stringify(manifest));
  await run("tar", "--create", "--directory", work, "--file", archive, "manifest.json", "config.json", "layer.tar");
  return archive;
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}
