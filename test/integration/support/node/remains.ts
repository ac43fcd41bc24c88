import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import path from "node:path";

/**
 * Waits for the end of the test, however it ends, because its standard input then closes. The processes of the nodes have ended
 * or are about to end; their control groups can be removed a moment later.
 */
const REMOVE = `
cat > /dev/null
groups() { find /sys/fs/cgroup -type d -path "*/$NAME-*" "$@" 2> /dev/null; }
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

  /** Removes the directory with all its content, and control groups with the directory's name before a hyphen. */
  constructor(directory: string) {
    this.#watcher = spawn("bash", ["-c", REMOVE], {
      // In a session of its own, a signal for the test does not end it.
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
      env: { PATH: process.env["PATH"], NAME: path.basename(directory), DIRECTORY: directory },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#watcher, "exit");
    this.#watcher.stdin?.end();
    await ended;
  }
}
