import assert from "node:assert/strict";

/** A value in Prometheus' text format. */
export interface ExposedValue {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const HEADER = /^# (HELP|TYPE) ([a-z_]+) (.+)$/;
const LINE = /^([a-z_]+)\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\} (\S+)$/;
const LABEL = /([a-z_]+)="((?:[^"\\\n]|\\[\\"n])*)"/g;
const NUMBER = /^[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;

/**
 * Returns the values of a text of version 0.0.4. Fails for a line of another form, a label or a series that appears twice, a
 * metric without HELP and TYPE, and for lines of a metric that do not follow each other.
 */
export function exposedValues(text: string): ExposedValue[] {
  assert.ok(text === "" || text.endsWith("\n"), "no line break at the end");
  const seen = new Set<string>();
  const types = new Map<string, string>();
  const values: ExposedValue[] = [];
  let current: string | undefined;
  for (const line of text.split("\n").slice(0, -1)) {
    const [, kind, header = "", rest = ""] = HEADER.exec(line) ?? [];
    if (kind === "HELP") {
      assert.ok(!types.has(header), `${header} twice`);
      current = header;
      types.set(header, "");
    } else if (kind === "TYPE") {
      assert.equal(header, current);
      assert.match(rest, /^(counter|gauge)$/);
      types.set(header, rest);
    } else {
      const value = exposedLine(line);
      const { name, labels } = value;
      assert.equal(name, current, line);
      assert.notEqual(types.get(name), "", line);
      const key = JSON.stringify([name, Object.entries(labels).sort()]);
      assert.ok(!seen.has(key), `${line} twice`);
      seen.add(key);
      values.push(value);
    }
  }
  return values;
}

/** Returns the value of a line. */
export function exposedLine(line: string): ExposedValue {
  const [, name = "", inside = "", number = ""] = LINE.exec(line) ?? [];
  assert.match(number, NUMBER, line);
  const pairs = [...inside.matchAll(LABEL)].map(([, label = "", value = ""]) => [label, unescaped(value)] as const);
  assert.equal(pairs.map(([label, value]) => `${label}="${escaped(value)}"`).join(","), inside, line);
  const labels = Object.fromEntries(pairs);
  assert.equal(Object.keys(labels).length, pairs.length, line);
  return { name, labels, value: Number(number) };
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, character: string) => (character === "n" ? "\n" : character));
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}
