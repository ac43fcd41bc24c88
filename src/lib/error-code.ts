/** Returns the code of a system error, such as ENOENT; undefined for another value. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

/** Returns whether the process has no right to what it tried. */
export function isDenied(error: unknown): boolean {
  return ["EACCES", "EPERM"].includes(errorCode(error) ?? "");
}
