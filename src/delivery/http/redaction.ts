/** A shorter secret cannot be told from ordinary text. */
const MIN_SECRET = 4;

/** Returns a function that replaces these secrets in a text, for example when a server sends them back. */
export function redactor(secrets: readonly string[]): (text: string) => string {
  // The longest first: a secret may be a part of another.
  const redacted = [...new Set(secrets.filter(({ length }) => length >= MIN_SECRET).flatMap(formsOf))].toSorted(
    (one, other) => other.length - one.length,
  );
  return (text) => redacted.reduce((rest, secret) => rest.replaceAll(secret, "[redacted]"), text);
}

/** Returns a secret as it is, and as JSON writes it. Programs in Go also escape `<`, `>` and `&` there. */
function formsOf(secret: string): readonly string[] {
  const escaped = JSON.stringify(secret).slice(1, -1);
  return [secret, escaped, escaped.replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`)];
}
