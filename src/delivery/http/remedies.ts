import type { Remedies } from "../../lib/network-fault.ts";
import { NO_ALT_NAME } from "../../lib/server-identity.ts";

const NO_TLS =
  "the server does not speak TLS: check the port of the target's url, or use http with tls.mode: Plaintext";
const BAD_CLIENT =
  "the server does not accept the client certificate: check tls.clientCertSecretRef and the server's CA";

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
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: "the server asks for a client certificate: set tls.clientCertSecretRef",
  // TLS 1.2 has no alert of its own for a missing certificate.
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE:
    "the server has no common TLS version or cipher, or asks for a client certificate: set tls.clientCertSecretRef",
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: BAD_CLIENT,
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: BAD_CLIENT,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: BAD_CLIENT,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: "the client certificate has expired: renew tls.clientCertSecretRef",
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: "the server takes only another TLS version: allow TLS 1.2 or 1.3 there",
  ERR_SSL_TLSV1_UNRECOGNIZED_NAME: "the server does not have this name: set tls.serverName",
  ERR_PROXY_TUNNEL: "check HTTPS_PROXY and NO_PROXY in the environment, and what the proxy lets through",
  HPE_INVALID_CONSTANT: "the server does not speak HTTP: check the target's url",
};
