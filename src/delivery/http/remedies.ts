import type { Remedies } from "../../lib/network-fault.ts";
import { NO_ALT_NAME } from "../../lib/server-identity.ts";

/** What the operator can do, and the error codes of the failed connections for which that helps. */
const TABLE: readonly (readonly [remedy: string, ...codes: readonly string[]])[] = [
  ["nothing listens there: check the target's url", "ECONNREFUSED"],
  ["the host name does not resolve: check the target's url", "ENOTFOUND"],
  ["the name server does not answer", "EAI_AGAIN"],
  ["check HTTPS_PROXY and NO_PROXY in the environment, and what the proxy lets through", "ERR_PROXY_TUNNEL"],
  ["the server does not speak HTTP: check the target's url", "HPE_INVALID_CONSTANT"],
  [
    "the server does not speak TLS: check the port of the target's url, or use http with tls.mode: Plaintext",
    "ERR_SSL_WRONG_VERSION_NUMBER",
    "ERR_SSL_PACKET_LENGTH_TOO_LONG",
    "ERR_SSL_HTTP_REQUEST",
    "ERR_SSL_UNKNOWN_PROTOCOL",
  ],
  // The server's certificate. Node ignores an authority that is not PEM, so `set` is also the remedy for a wrong one.
  [
    "the certificate is not from a known authority: set tls.caRef to the authority's certificate, as PEM",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "UNABLE_TO_GET_ISSUER_CERT",
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    "SELF_SIGNED_CERT_IN_CHAIN",
    "CERT_UNTRUSTED",
  ],
  ["the certificate is self-signed: set tls.caRef to it, as PEM", "DEPTH_ZERO_SELF_SIGNED_CERT"],
  [
    "the authority in tls.caRef has not signed the certificate: set tls.caRef to the authority that has",
    "CERT_SIGNATURE_FAILURE",
    "UNABLE_TO_DECRYPT_CERT_SIGNATURE",
    "UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY",
  ],
  ["renew the server's certificate, or check the clock of this node", "CERT_HAS_EXPIRED"],
  ["check the clocks of this node and of the server that made the certificate", "CERT_NOT_YET_VALID"],
  ["renew it with the host of the target's url as subjectAltName", NO_ALT_NAME],
  ["the certificate is for another name: set tls.serverName", "ERR_TLS_CERT_ALTNAME_INVALID", "HOSTNAME_MISMATCH"],
  ["the server does not have this name: set tls.serverName", "ERR_SSL_TLSV1_UNRECOGNIZED_NAME"],
  ["the certificate is not for servers: renew it with the extended key usage serverAuth", "INVALID_PURPOSE"],
  ["the server's authority has revoked or rejected the certificate: renew it", "CERT_REVOKED", "CERT_REJECTED"],
  [
    "an authority in the certificate's chain may not sign it: have the certificate issued again",
    "INVALID_CA",
    "PATH_LENGTH_EXCEEDED",
    "CERT_CHAIN_TOO_LONG",
  ],
  [
    "the server's certificate is malformed: renew it",
    "ERROR_IN_CERT_NOT_BEFORE_FIELD",
    "ERROR_IN_CERT_NOT_AFTER_FIELD",
  ],
  [
    "the key or signature of a certificate is too weak: renew it with RSA 2048 or P-256, and SHA-256",
    "ERR_SSL_EE_KEY_TOO_SMALL",
    "ERR_SSL_CA_KEY_TOO_SMALL",
    "ERR_SSL_CA_MD_TOO_WEAK",
    "ERR_SSL_DH_KEY_TOO_SMALL",
    "ERR_SSL_TLSV1_ALERT_INSUFFICIENT_SECURITY",
  ],
  // The agent's certificate.
  [
    "the server asks for a client certificate: set tls.clientCertSecretRef",
    "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
    "ERR_SSL_SSLV3_ALERT_NO_CERTIFICATE",
  ],
  [
    // TLS 1.2 has no alert of its own for a missing certificate.
    "the server has no common TLS version or cipher, or asks for a client certificate: set tls.clientCertSecretRef",
    "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE",
  ],
  [
    "the server does not accept the client certificate: check tls.clientCertSecretRef and the server's CA",
    "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA",
    "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE",
    "ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
    "ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    "ERR_SSL_TLSV1_ALERT_ACCESS_DENIED",
    "ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR",
  ],
  ["the client certificate has expired: renew tls.clientCertSecretRef", "ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED"],
  ["the client certificate is revoked: renew tls.clientCertSecretRef", "ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED"],
  ["tls.key and tls.crt in tls.clientCertSecretRef do not belong together", "ERR_OSSL_X509_KEY_VALUES_MISMATCH"],
  [
    "tls.key in tls.clientCertSecretRef has a passphrase: store the key without one",
    "ERR_OSSL_BAD_DECRYPT",
    "ERR_OSSL_PEM_BAD_PASSWORD_READ",
    "ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED",
  ],
  ["tls.key in tls.clientCertSecretRef is not a private key as PEM", "ERR_OSSL_UNSUPPORTED"],
  [
    "tls.crt or tls.key in tls.clientCertSecretRef is not PEM, or incomplete",
    "ERR_OSSL_PEM_NO_START_LINE",
    "ERR_OSSL_PEM_BAD_END_LINE",
    "ERR_OSSL_PEM_BAD_BASE64_DECODE",
  ],
  // The versions.
  [
    "the server takes only another TLS version: allow TLS 1.2 or 1.3 there",
    "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION",
    "ERR_SSL_UNSUPPORTED_PROTOCOL",
    "ERR_SSL_TLSV1_ALERT_INAPPROPRIATE_FALLBACK",
  ],
  [
    "look into the log of the server or of the proxy before it",
    "ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR",
    "ERR_SSL_SSLV3_ALERT_ILLEGAL_PARAMETER",
    "ERR_SSL_SSLV3_ALERT_UNEXPECTED_MESSAGE",
    "ERR_SSL_TLSV1_ALERT_DECODE_ERROR",
    "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
    "ERR_SSL_UNEXPECTED_EOF_WHILE_READING",
  ],
];

/** What the operator can do, by the error code of a failed connection. */
export const REMEDIES: Remedies = Object.fromEntries(
  TABLE.flatMap(([remedy, ...codes]) => codes.map((code) => [code, remedy] as const)),
);
