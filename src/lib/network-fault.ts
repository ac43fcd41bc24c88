import { foreignText } from "./display-text.ts";
import { ownValue } from "./own-value.ts";

/** Error code -> what the operator can do about the failure. */
export type Remedies = Readonly<Record<string, string>>;

/** The text of a TLS failure quotes the server's certificate, and must leave room for the remedy. */
const MAX_MESSAGE = 140;

/**
 * Returns the code and the text of a connection failure, with its remedy if there is one. The text is printable and never
 * contains a header. `redact` removes secrets before the text is cut.
 */
export function networkFault(
  thrown: unknown,
  remedies: Remedies,
  redact: (text: string) => string = String,
): { readonly code: string; readonly text: string } {
  // A host name with several addresses fails with one error per address. The first is enough.
  const error: unknown = thrown instanceof AggregateError && thrown.errors.length > 0 ? thrown.errors[0] : thrown;
  const code = codeOf(error);
  const message = error instanceof Error && error.message !== "" ? error.message : code || "the connection failed";
  const line = foreignText(redact(message), MAX_MESSAGE);
  const remedy = ownValue(remedies, code);
  return { code, text: remedy === undefined ? line : `${line} (${remedy})` };
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
