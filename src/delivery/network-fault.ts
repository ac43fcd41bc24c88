/** What to do about the failures of a connection that a setting can cure. */
const REMEDIES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there: check the target's url",
  ENOTFOUND: "the host name does not resolve: check the target's url",
  EAI_AGAIN: "the name service does not answer",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the certificate is of no known authority: set tls.caRef",
  UNABLE_TO_GET_ISSUER_CERT: "the certificate is of no known authority: set tls.caRef",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the certificate is of no known authority: set tls.caRef",
  SELF_SIGNED_CERT_IN_CHAIN: "the certificate is of no known authority: set tls.caRef",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the certificate is signed by itself: set tls.caRef",
  CERT_HAS_EXPIRED: "the server's certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "the certificate is for another name: set tls.serverName",
  ERR_SSL_WRONG_VERSION_NUMBER: "the server does not speak TLS: check the target's url",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: "the server asks for a client certificate: set tls.clientCertSecretRef",
  HPE_INVALID_CONSTANT: "the server does not speak HTTP: check the target's url",
};

/** The text and the code of whatever a connection failed with; it never holds a header. */
export function networkFault(thrown: unknown): { readonly code: string; readonly text: string } {
  // A name with several addresses fails with one error for each; the first says as much as all.
  const error: unknown = thrown instanceof AggregateError && thrown.errors.length > 0 ? thrown.errors[0] : thrown;
  const code = codeOf(error);
  const message = error instanceof Error && error.message !== "" ? error.message : code || "the connection failed";
  const remedy = REMEDIES[code];
  return { code, text: remedy === undefined ? message : `${message} (${remedy})` };
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
