import { access, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { run, until } from "../process.ts";

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

/** Removes a control group without processes, in every hierarchy. */
export async function removeControlGroup(name: string): Promise<void> {
  const roots = (await exists(`${ROOT}/cgroup.controllers`)) ? [ROOT] : await hierarchies();
  for (const group of roots.map((root) => root + name)) {
    // A process that has ended leaves its group a moment later.
    const remove = () => run("find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+");
    if (await exists(group)) await until(remove, `the control group ${group} to go`);
  }
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
