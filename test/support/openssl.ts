import { CertificateAuthority } from "./certificates.ts";

/** Returns whether tests that need certificates are skipped, and prints a warning if so. On CI it throws instead. */
export function skipWithoutOpenssl(what: string): boolean {
  if (CertificateAuthority.available()) return false;
  if (process.env["CI"] === "true") throw new Error("openssl is missing: install it");
  console.error(`SKIPPED: ${what}, because openssl is missing`);
  return true;
}
