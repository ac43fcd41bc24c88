import { ownValue } from "./own-value.ts";

/** Error code -> what the operator can do about the failure. */
export type Remedies = Readonly<Record<string, string>>;

/** Returns the code and the text of a connection failure, with its remedy if there is one. The text never contains a header. */
export function networkFault(thrown: unknown, remedies: Remedies): { readonly code: string; readonly text: string } {
  // A host name with several addresses fails with one error per address. The first is enough.
  const error: unknown = thrown instanceof AggregateError && thrown.errors.length > 0 ? thrown.errors[0] : thrown;
  const code = codeOf(error);
  const message = error instanceof Error && error.message !== "" ? error.message : code || "the connection failed";
  const remedy = ownValue(remedies, code);
  return { code, text: remedy === undefined ? message : `${message} (${remedy})` };
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
