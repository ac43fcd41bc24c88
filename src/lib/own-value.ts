/**
 * Returns the value of a key that the record itself has. Every object also inherits `constructor`, `toString` and others,
 * and a key that comes from outside may have such a name.
 */
export function ownValue<Value>(record: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
