import { access, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";

const ROOT = "/sys/fs/cgroup";

/** Creates a control group in every hierarchy, as the kubelet expects its root. `name` is a path below the root of each. */
export async function createControlGroup(name: string): Promise<void> {
  if (await exists(`${ROOT}/cgroup.controllers`)) await createUnified(name);
  else for (const hierarchy of await hierarchies()) await createInHierarchy(hierarchy, name);
}

/** Version 2: one hierarchy, in which each group says which controllers its children have. */
async function createUnified(name: string): Promise<void> {
  const controllers = (await readFile(`${ROOT}/cgroup.controllers`, "utf8")).trim().split(" ");
  const enabled = controllers.map((controller) => `+${controller}`).join(" ");
  try {
    await writeFile(`${ROOT}/cgroup.subtree_control`, enabled);
  } catch {
    // This is a container: its root is not the machine's, and a group with processes cannot have children with controllers.
    await mkdir(`${ROOT}/init`, { recursive: true });
    for (const pid of (await readFile(`${ROOT}/cgroup.procs`, "utf8")).split("\n").filter(Boolean))
      // A process may have ended.
      await writeFile(`${ROOT}/init/cgroup.procs`, pid).catch(() => undefined);
    await writeFile(`${ROOT}/cgroup.subtree_control`, enabled);
  }
  await mkdir(ROOT + name, { recursive: true });
}

async function createInHierarchy(hierarchy: string, name: string): Promise<void> {
  const group = path.join(hierarchy, name);
  await mkdir(group, { recursive: true });
  // A new group of cpuset has none, and then no process may enter it.
  for (const file of ["cpuset.cpus", "cpuset.mems"])
    if (await exists(path.join(hierarchy, file)))
      await writeFile(path.join(group, file), await readFile(path.join(hierarchy, file)));
}

async function hierarchies(): Promise<readonly string[]> {
  const entries = await readdir(ROOT, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => path.join(ROOT, name));
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
