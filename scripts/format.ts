import { spawnSync } from "node:child_process";

process.exitCode =
  spawnSync("npx", ["prettier", "--write", "--log-level", "warn", "."], { stdio: "inherit" }).status ?? 1;
