import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";

/**
 * Waits for the end of the test, however it ends, because its standard input then closes. The processes of the nodes have ended
 * or are about to end; their control groups can be removed a moment later.
 */
const REMOVE = `
cat > /dev/null
groups() { find /sys/fs/cgroup -type d -path "*/$CLUSTER-*" "$@" 2> /dev/null; }
for attempt in $(seq 300); do
  groups -depth -exec rmdir {} +
  [ -z "$(groups -prune)" ] && break
  sleep 0.1
done
rm -rf "$DIRECTORY"
`;

/** Removes what the kernel does not remove with the processes of the nodes, also when the test is killed. */
export class Remains implements AsyncDisposable {
  readonly #watcher: ChildProcess;

  /** Control groups whose name begins with the cluster's and a hyphen, and a directory with all its content. */
  constructor(cluster: string, directory: string) {
    this.#watcher = spawn("bash", ["-c", REMOVE], {
      // In a session of its own, a signal for the test does not end it.
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
      env: { PATH: process.env["PATH"], CLUSTER: cluster, DIRECTORY: directory },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#watcher, "exit");
    this.#watcher.stdin?.end();
    await ended;
  }
}
