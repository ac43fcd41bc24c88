import { LineCounter, isAlias, isMap, isNode, isScalar, isSeq, parseAllDocuments, type Document } from "yaml";
import { messageOf } from "../errors.ts";
import type { Path } from "./check.ts";

/** One YAML document as a value, and where in the text everything of it is. */
export interface YamlSource {
  readonly value: unknown;
  /** Fields that are given more than once; the last one is in the value. */
  readonly repeated: readonly Path[];
  /** The 1-based line of a field's name or of a list's item; of what is around it, when the text does not give it. */
  readonly lineOf: (path: Path) => number;
}

/** Why a text is no YAML document. */
export interface YamlProblem {
  /** 1-based. */
  readonly line: number;
  readonly message: string;
}

/** A line of the text, and the places of what is below it. */
interface Place {
  readonly line: number;
  readonly below: ReadonlyMap<string | number, Place>;
}

const MAX_ALIASES = 100;

/**
 * Reads a text that must hold one document. Never throws. The time it takes is proportional to the text: the parser's
 * own search for repeated keys is quadratic, and so would be looking up each line in its tree.
 */
export function readYaml(text: string): YamlSource | readonly YamlProblem[] {
  try {
    return readDocument(text);
  } catch (error) {
    return [{ line: 1, message: `nests too deeply or uses aliases too often: ${messageOf(error)}` }];
  }
}

function readDocument(text: string): YamlSource | readonly YamlProblem[] {
  const lines = new LineCounter();
  const lineAt = (offset: number): number => lines.linePos(offset).line;
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false,
    logLevel: "error",
    uniqueKeys: false,
    // Only the types of JSON: no sets, dates or binary data, which tags would make even in YAML 1.2.
    schema: "core",
    resolveKnownTags: false,
  });
  const [document, second] = documents;
  if (!Array.isArray(documents) || document === undefined) return [{ line: 1, message: "is empty" }];
  const errors = documents.flatMap((one) => one.errors);
  if (errors.length > 0)
    return errors.map(({ message, pos }) => ({
      line: lineAt(pos[0]),
      message: `is not YAML: ${withoutText(message)}`,
    }));
  if (second !== undefined)
    return [{ line: lineAt(second.range[0]), message: `has ${documents.length} documents; one is expected` }];

  const { root, repeated, unknownAliases } = placesOf(document, lineAt);
  if (unknownAliases.length > 0) return unknownAliases;
  return {
    value: document.toJS({ maxAliasCount: MAX_ALIASES }),
    repeated,
    lineOf: (path) => {
      let place = root;
      for (const part of path) {
        const next = place.below.get(part);
        if (next === undefined) break;
        place = next;
      }
      return place.line;
    },
  };
}

function placesOf(document: Document.Parsed, lineAt: (offset: number) => number) {
  const anchors = new Set<string>();
  const repeated: Path[] = [];
  const unknownAliases: YamlProblem[] = [];

  const lineOf = (node: unknown, otherwise: number): number =>
    isNode(node) && node.range ? lineAt(node.range[0]) : otherwise;
  const seen = (node: unknown, line: number): void => {
    if (isAlias(node) && !anchors.has(node.source))
      unknownAliases.push({ line, message: "has an alias without an anchor before it" });
    if (isNode(node) && !isAlias(node) && node.anchor !== undefined) anchors.add(node.anchor);
  };
  const place = (node: unknown, line: number, path: Path): Place => {
    const below = new Map<string | number, Place>();
    seen(node, line);
    if (isMap(node)) {
      for (const { key, value } of node.items) {
        const keyLine = lineOf(key, line);
        seen(key, keyLine);
        // As the parser names the field in the value.
        const name = isScalar<string | number | boolean | null>(key) ? String(key.value ?? "") : String(key);
        const at = [...path, name];
        if (below.has(name)) repeated.push(at);
        below.set(name, place(value, keyLine, at));
      }
    } else if (isSeq(node)) {
      for (const [index, item] of node.items.entries())
        below.set(index, place(item, lineOf(item, line), [...path, index]));
    }
    return { line, below };
  };
  return { root: place(document.contents, lineOf(document.contents, 1), []), repeated, unknownAliases };
}

/** The parser quotes the text after a colon; whatever is there, perhaps a password, is not repeated. */
function withoutText(message: string): string {
  return message.replace(/: .*$/s, "").replace(/[^ -~]+/g, " ");
}
