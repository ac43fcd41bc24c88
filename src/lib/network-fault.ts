import { foreignText } from "./display-text.ts";
import { ownValue } from "./own-value.ts";

/** Error code -> what the operator can do about the failure. */
export type Remedies = Readonly<Record<string, string>>;

/** The text of a TLS failure quotes the server's certificate, and must leave room for the remedy. */
const MAX_MESSAGE = 140;

/** Node's advice for its own command line. */
const NODE_HINT = /; if the root CA is installed locally, try running Node\.js with --use-system-ca/;
/** The reason in OpenSSL's text of an error. The rest are places in its source. */
const SSL_REASON = /:SSL routines:[^:]*:([^:]{1,80}):/;

/**
 * Returns the code and the text of a connection failure, with its remedy if there is one. The text is printable and never
 * contains a header. `redact` removes secrets before the text is cut.
 */
export function networkFault(
  thrown: unknown,
  remedies: Remedies,
  redact: (text: string) => string = String,
): { readonly code: string; readonly text: string } {
  // A host name with several addresses fails with one error per address: one that the operator can act on is enough.
  const errors: readonly unknown[] = thrown instanceof AggregateError ? thrown.errors : [];
  const error = errors.find((each) => ownValue(remedies, codeOf(each)) !== undefined) ?? errors[0] ?? thrown;
  const code = codeOf(error);
  const message = error instanceof Error && error.message !== "" ? error.message : code || "the connection failed";
  const [, sslReason] = SSL_REASON.exec(message) ?? [];
  const short = sslReason === undefined ? message.replace(NODE_HINT, "") : `TLS: ${sslReason}`;
  const line = foreignText(redact(short), MAX_MESSAGE);
  const remedy = ownValue(remedies, code);
  return { code, text: remedy === undefined ? line : `${line} (${remedy})` };
}

/** Returns the code of an error. A failure of TLS while writing has the code that Node gives it while reading. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error && "code" in error && typeof error.code === "string")) return "";
  const [, reason] = SSL_REASON.exec(error.message) ?? [];
  const code = reason === undefined ? error.code : `ERR_SSL_${reason.toUpperCase().replaceAll(" ", "_")}`;
  // OpenSSL 3.2 has renamed the alerts.
  return code.replace("SSL/TLS_ALERT", "SSLV3_ALERT");
}
