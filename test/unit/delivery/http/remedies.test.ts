import assert from "node:assert/strict";
import { test } from "node:test";
import { createSecureContext } from "node:tls";
import { REMEDIES } from "../../../../src/delivery/http/remedies.ts";
import { networkFault } from "../../../../src/lib/network-fault.ts";
import { CertificateAuthority } from "../../../support/certificates.ts";
import { skipWithoutOpenssl } from "../../../support/openssl.ts";

/** The codes of https://nodejs.org/api/tls.html#x509-certificate-error-codes, without those of revocation lists, which are not read. */
const CERTIFICATE_CODES = [
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_DECRYPT_CERT_SIGNATURE",
  "UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY",
  "CERT_SIGNATURE_FAILURE",
  "CERT_NOT_YET_VALID",
  "CERT_HAS_EXPIRED",
  "ERROR_IN_CERT_NOT_BEFORE_FIELD",
  "ERROR_IN_CERT_NOT_AFTER_FIELD",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_CHAIN_TOO_LONG",
  "CERT_REVOKED",
  "INVALID_CA",
  "PATH_LENGTH_EXCEEDED",
  "INVALID_PURPOSE",
  "CERT_UNTRUSTED",
  "CERT_REJECTED",
  "HOSTNAME_MISMATCH",
];

/** The alerts of RFC 8446, section 6, that a server sends while it decides about a client, in the words of OpenSSL. */
const ALERTS = [
  "ssl/tls alert handshake failure",
  "ssl/tls alert bad certificate",
  "ssl/tls alert unsupported certificate",
  "ssl/tls alert certificate revoked",
  "ssl/tls alert certificate expired",
  "ssl/tls alert certificate unknown",
  "ssl/tls alert illegal parameter",
  "tlsv1 alert unknown ca",
  "tlsv1 alert access denied",
  "tlsv1 alert decode error",
  "tlsv1 alert decrypt error",
  "tlsv1 alert protocol version",
  "tlsv1 alert insufficient security",
  "tlsv1 alert internal error",
  "tlsv1 alert inappropriate fallback",
  "tlsv1 unrecognized name",
  "tlsv13 alert certificate required",
];

/** The longest text of a failure that is shown whole. */
const MAX_FAILURE = 300;

test("each error of the server's certificate has a remedy", () => {
  for (const code of CERTIFICATE_CODES) assert.ok(REMEDIES[code], code);
});

test("each alert with which a server rejects a client has a remedy", () => {
  for (const alert of ALERTS) {
    const message = `write EPROTO 40:error:0A000410:SSL routines:ssl3_read_bytes:${alert}:record.c:918:SSL alert number 40\n`;
    const { code, text } = networkFault(Object.assign(new Error(message), { code: "EPROTO" }), REMEDIES);
    assert.ok(REMEDIES[code], code);
    assert.ok(text.startsWith(`TLS: ${alert} (`), text);
  }
});

test("a remedy is shown whole behind the longest text", () => {
  for (const [code, remedy] of Object.entries(REMEDIES)) {
    const { text } = networkFault(Object.assign(new Error("x".repeat(500)), { code }), REMEDIES);
    assert.ok(text.endsWith(`(${remedy})`));
    assert.ok(text.length <= MAX_FAILURE, `${code}: ${text.length}`);
  }
});

test("a client certificate that cannot be used names the Secret", { skip: skipWithoutOpenssl("remedies") }, () => {
  using authority = new CertificateAuthority("remedies");
  const [{ cert, key }, other] = [authority.issue("one", "DNS:one"), authority.issue("other", "DNS:other")];
  const encrypted = authority.encrypt("one", "a passphrase");
  const cases = [
    [{ cert, key: other.key }, /do not belong together/],
    [{ cert, key: encrypted }, /has a passphrase/],
    [{ cert, key: cert }, /not a private key as PEM/],
    [{ cert, key: "none" }, /not a private key as PEM/],
    [{ cert: "none", key }, /not PEM, or incomplete/],
    [{ cert: cert.slice(0, 300), key }, /not PEM, or incomplete/],
    [{ cert: cert.replace("\nMI", "\n!!"), key }, /not PEM, or incomplete/],
  ] as const;
  for (const [options, remedy] of cases) {
    const fault = (): unknown => createSecureContext(options);
    assert.throws(fault, (thrown: unknown) => {
      const { text } = networkFault(thrown, REMEDIES);
      assert.match(text, remedy);
      assert.match(text, /tls\.clientCertSecretRef/);
      assert.doesNotMatch(text, /PRIVATE KEY|MI[A-Z]/);
      return true;
    });
  }
});
