/** A shorter secret cannot be told from ordinary text. */
const MIN_SECRET = 4;

/** Returns a function that replaces these secrets in a text, for example when a server sends them back. */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const redacted = secrets.filter(({ length }) => length >= MIN_SECRET);
  return (text) => redacted.reduce((rest, secret) => rest.replaceAll(secret, "[redacted]"), text);
}
