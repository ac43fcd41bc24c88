import type { Remedies } from "../../lib/network-fault.ts";
import { NO_ALT_NAME } from "../../lib/server-identity.ts";

/** What the operator can do, by the error code of a failed connection. */
export const REMEDIES: Remedies = {
  ECONNREFUSED: "nothing listens there: check the target's url",
  ENOTFOUND: "the host name does not resolve: check the target's url",
  EAI_AGAIN: "the name server does not answer",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the certificate is not from a known authority: set tls.caRef",
  UNABLE_TO_GET_ISSUER_CERT: "the certificate is not from a known authority: set tls.caRef",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the certificate is not from a known authority: set tls.caRef",
  SELF_SIGNED_CERT_IN_CHAIN: "the certificate is not from a known authority: set tls.caRef",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the certificate is self-signed: set tls.caRef",
  CERT_HAS_EXPIRED: "the server's certificate has expired",
  [NO_ALT_NAME]: "renew it with the host of the target's url as subjectAltName",
  ERR_TLS_CERT_ALTNAME_INVALID: "the certificate is for another name: set tls.serverName",
  ERR_SSL_WRONG_VERSION_NUMBER: "the server does not speak TLS: check the target's url",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: "the server asks for a client certificate: set tls.clientCertSecretRef",
  ERR_PROXY_TUNNEL: "check HTTPS_PROXY and NO_PROXY in the environment, and what the proxy lets through",
  HPE_INVALID_CONSTANT: "the server does not speak HTTP: check the target's url",
};
