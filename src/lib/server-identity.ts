import { checkServerIdentity, type PeerCertificate } from "node:tls";

/** The error code of a certificate without a subject alternative name. */
export const NO_ALT_NAME = "CERT_WITHOUT_ALT_NAME";

/**
 * Returns why a certificate is not the one of this host, or undefined if it is. Unlike Node's own check it requires a subject
 * alternative name: an authority that only checks those would sign any common name.
 */
export function checkAltName(host: string, certificate: PeerCertificate): Error | undefined {
  if (certificate.subjectaltname !== undefined) return checkServerIdentity(host, certificate);
  return Object.assign(new Error("the server's certificate has no subject alternative name"), { code: NO_ALT_NAME });
}
