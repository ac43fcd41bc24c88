import { CertificateAuthority } from "./certificates.ts";

/** Whether tests that need certificates have to be skipped; said loudly, and not allowed on CI. */
export function skipWithoutOpenssl(what: string): boolean {
  if (CertificateAuthority.available()) return false;
  if (process.env["CI"] === "true") throw new Error("openssl is missing: install it");
  console.error(`SKIPPED: ${what}, because openssl is missing`);
  return true;
}
