import { setDefaultAutoSelectFamilyAttemptTimeout } from "node:net";
import { runCommandLine } from "./command-line.ts";
import { addressTimeoutMs } from "./lib/connect-timeout.ts";

/** How long the output may take after the command has ended for a signal. */
const LAST_WRITES_MS = 1_000;

// For connections without a limit of their own: those to the API server and, as Node makes their options, to a proxy.
setDefaultAutoSelectFamilyAttemptTimeout(addressTimeoutMs(10_000));

// The reader of the output, `head` for instance, may close the pipe early.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  // The first signal ends in order; Node's default action is back for the second.
  process.once(signal, () => {
    stop.abort();
  });
}

process.exitCode = await runCommandLine(process.argv.slice(2), process, stop.signal);
// After a signal a pipe whose reader has stopped must not hold the process. What can be written is written before.
if (stop.signal.aborted) setTimeout(() => process.exit(), LAST_WRITES_MS).unref();
