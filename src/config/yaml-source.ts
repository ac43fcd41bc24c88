import { LineCounter, isAlias, isMap, isNode, isScalar, isSeq, parseAllDocuments, type Document } from "yaml";
import { messageOf } from "../errors.ts";
import type { Path } from "./check.ts";

/** One YAML document as a value, with the line of each field. */
export interface YamlSource {
  readonly value: unknown;
  /** Fields that occur more than once; the value has the last one. */
  readonly repeated: readonly Path[];
  /** Returns the 1-based line of a field's name or a list's item. If the text lacks it, the line of its parent. */
  readonly lineOf: (path: Path) => number;
}

/** Why a text is not a YAML document. */
export interface YamlProblem {
  /** 1-based. */
  readonly line: number;
  readonly message: string;
}

/** The line of a node, and the lines of its children. */
interface LineTree {
  readonly line: number;
  readonly children: ReadonlyMap<string | number, LineTree>;
}

const MAX_ALIASES = 100;

/**
 * Returns the one document of a text, or its problems. Never throws. Its time is linear in the text: the parser's own
 * search for repeated keys would be quadratic, and so would a search of its tree for each line.
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
    // Only the types of JSON. Without this, tags would make sets, dates and binary data even in YAML 1.2.
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

  const { root, repeated, unknownAliases } = linesOf(document, lineAt);
  if (unknownAliases.length > 0) return unknownAliases;
  return {
    value: document.toJS({ maxAliasCount: MAX_ALIASES }),
    repeated,
    lineOf: (path) => {
      let tree = root;
      for (const part of path) {
        const next = tree.children.get(part);
        if (next === undefined) break;
        tree = next;
      }
      return tree.line;
    },
  };
}

function linesOf(document: Document.Parsed, lineAt: (offset: number) => number) {
  const anchors = new Set<string>();
  const repeated: Path[] = [];
  const unknownAliases: YamlProblem[] = [];

  const lineOf = (node: unknown, otherwise: number): number =>
    isNode(node) && node.range ? lineAt(node.range[0]) : otherwise;
  const noteAnchor = (node: unknown, line: number): void => {
    if (isAlias(node) && !anchors.has(node.source))
      unknownAliases.push({ line, message: "has an alias without an anchor before it" });
    if (isNode(node) && !isAlias(node) && node.anchor !== undefined) anchors.add(node.anchor);
  };
  const treeOf = (node: unknown, line: number, path: Path): LineTree => {
    const children = new Map<string | number, LineTree>();
    noteAnchor(node, line);
    if (isMap(node)) {
      for (const { key, value } of node.items) {
        const keyLine = lineOf(key, line);
        noteAnchor(key, keyLine);
        // The same name that the parser gives the field in the value.
        const name = isScalar<string | number | boolean | null>(key) ? String(key.value ?? "") : String(key);
        const at = [...path, name];
        if (children.has(name)) repeated.push(at);
        children.set(name, treeOf(value, keyLine, at));
      }
    } else if (isSeq(node)) {
      for (const [index, item] of node.items.entries())
        children.set(index, treeOf(item, lineOf(item, line), [...path, index]));
    }
    return { line, children };
  };
  return { root: treeOf(document.contents, lineOf(document.contents, 1), []), repeated, unknownAliases };
}

/** Removes the text that the parser quotes after a colon: it may hold a password. */
function withoutText(message: string): string {
  return message.replace(/: .*$/s, "").replace(/[^ -~]+/g, " ");
}
