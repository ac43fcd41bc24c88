import { CertificateAuthority } from "./certificates.ts";

/** Whether tests that need certificates are skipped, with a warning; on CI that is an error. */
export function skipWithoutOpenssl(what: string): boolean {
  if (CertificateAuthority.available()) return false;
  if (process.env["CI"] === "true") throw new Error("openssl is missing: install it");
  console.error(`SKIPPED: ${what}, because openssl is missing`);
  return true;
}
