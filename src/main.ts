import { runCommandLine } from "./command-line.ts";

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
