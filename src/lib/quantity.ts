const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** Returns a readable number of bytes, with about three digits: `0 B`, `1.5 KiB`, `312 MiB`. */
export function formatBytes(bytes: number): string {
  let rest = bytes;
  let unit = 0;
  // Not 1024: 1023.6 would be rounded to 1024.
  while (rest >= 1023.5 && unit < BYTE_UNITS.length - 1) {
    rest /= 1024;
    unit++;
  }
  return `${unit === 0 || rest >= 99.95 ? Math.round(rest) : rest.toFixed(1)} ${BYTE_UNITS[unit] ?? ""}`;
}

/** Returns a readable time span in its two largest units: `0s`, `45s`, `3m 5s`, `2h 10m`, `4d 3h`. */
export function formatSpan(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0s";
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join(" ");
}
