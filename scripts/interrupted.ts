import { once } from "node:events";

/** Rejects when somebody wants this process to end, so that what was started can be ended first. */
export async function interrupted(): Promise<never> {
  await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  throw new Error("interrupted; everything that was started is ended");
}
