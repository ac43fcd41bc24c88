/**
 * Returns the values of an option that can be repeated. An entry may have several with commas between, because an environment
 * variable is one text; blanks around a value do not belong to it.
 */
export function commaList(entries: readonly string[]): readonly string[] {
  return entries.flatMap((entry) => entry.split(",")).map((value) => value.trim());
}
