import { ownValue } from "./own-value.ts";

/** What the operator can do about a failure, by the code of the error. */
export type Remedies = Readonly<Record<string, string>>;

/** The text and the code of whatever a connection failed with; it never holds a header. */
export function networkFault(thrown: unknown, remedies: Remedies): { readonly code: string; readonly text: string } {
  // A name with several addresses fails with one error for each; the first says as much as all.
  const error: unknown = thrown instanceof AggregateError && thrown.errors.length > 0 ? thrown.errors[0] : thrown;
  const code = codeOf(error);
  const message = error instanceof Error && error.message !== "" ? error.message : code || "the connection failed";
  const remedy = ownValue(remedies, code);
  return { code, text: remedy === undefined ? message : `${message} (${remedy})` };
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
