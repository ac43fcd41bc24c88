import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { XMLParser } from "fast-xml-parser";
import { attributeOf, scanXml } from "../../../src/discovery/xml-scanner.ts";

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
}

const name = fc.constantFrom("disk", "target", "a:b", "_x-1.y", "constructor", "ns:__proto", "é");
const value = fc
  .string({ unit: fc.constantFrom("a", "1", " ", ">", "/", "=", "&amp;", "\n", "é", "]]>", "-->") })
  .map((text) => text.trim());

const { element } = fc.letrec<{ element: Element }>((tie) => ({
  element: fc.record({
    name,
    attributes: fc.dictionary(fc.constantFrom("dev", "name", "device", "x:y"), value, { maxKeys: 3 }),
    children: fc.oneof({ maxDepth: 4 }, fc.constant([]), fc.array(tie("element"), { maxLength: 4 })),
  }),
}));

/** What may stand between elements. */
const between = fc.constantFrom("", "\n  ", "text", "<!-- <a> -->", "<![CDATA[</a><b x='>'>]]>", "<?pi <a?>", "&lt;");
const quote = fc.constantFrom("'", '"');

function written({ name: tag, attributes, children }: Element, filler: string, mark: string): string {
  const pairs = Object.entries(attributes).map(([key, text]) => ` ${key} = ${mark}${text}${mark}`);
  if (children.length === 0) return `<${tag}${pairs.join("")} />`;
  const inner = children.map((child) => filler + written(child, filler, mark)).join("");
  return `<${tag}${pairs.join("")}>${inner}${filler}</${tag} >`;
}

function scanned(xml: string): Element[] {
  const roots: Element[] = [];
  const open: Element[][] = [roots];
  scanXml(xml, {
    opened: (tag, depth, attributes) => {
      assert.equal(depth, open.length);
      const children: Element[] = [];
      const known = ["dev", "name", "device", "x:y"].flatMap((key) => {
        const text = attributeOf(attributes, key);
        return text === undefined ? [] : [[key, text] as const];
      });
      open.at(-1)?.push({ name: tag, attributes: Object.fromEntries(known), children });
      open.push(children);
    },
    closed: (depth) => {
      open.pop();
      assert.equal(depth, open.length);
    },
  });
  return roots;
}

const reference = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: "",
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: false,
  trimValues: false,
});

/** Returns the elements as fast-xml-parser reads them. */
function parsed(xml: string): Element[] {
  const convert = (nodes: readonly Record<string, unknown>[]): Element[] =>
    nodes.flatMap((node) => {
      const { ":@": attributes = {}, ...rest } = node;
      const [tag = ""] = Object.keys(rest);
      if (tag === "#text" || tag.startsWith("?")) return [];
      const children = convert(rest[tag] as Record<string, unknown>[]);
      return [{ name: tag, attributes: attributes as Record<string, string>, children }];
    });
  return convert(reference.parse(xml) as Record<string, unknown>[]);
}

test("any document has the elements and attributes that it was written with", () => {
  fc.assert(
    fc.property(element, between, quote, (root, filler, mark) => {
      const [found, ...others] = scanned(`<?xml version='1.0'?>${written(root, filler, mark)}\n`);
      assert.deepEqual(found, structuredClone(root));
      assert.deepEqual(others, []);
    }),
  );
});

test("a document is read as fast-xml-parser reads it", () => {
  const plain = fc.constantFrom("", "\n  ", "text", "<!-- <a> -->", "<?pi a?>");
  fc.assert(
    fc.property(element, plain, quote, (root, filler, mark) => {
      const xml = written(root, filler, mark);
      if (xml.includes("constructor")) return;
      assert.deepEqual(scanned(xml), parsed(xml));
    }),
  );
});

for (const [what, xml] of [
  ["an element that is not closed", "<a><b></a>"],
  ["an element that is closed twice", "<a></a></a>"],
  ["elements that are closed in another order", "<a><b></a></b>"],
  ["a closing name that is longer", "<a></ab>"],
  ["a second root", "<a/><a/>"],
  ["an unfinished tag", "<a"],
  ["an unfinished value", "<a b='>"],
  ["an unfinished comment", "<a><!-- </a>"],
  ["a < in a tag", "<a <b/>"],
  ["an element without a name", "<a>< /a>"],
  ["a document type", "<!DOCTYPE a><a/>"],
  ["elements nested 257 deep", "<a>".repeat(257) + "</a>".repeat(257)],
] as const) {
  test(`${what} is a SyntaxError`, () => {
    assert.throws(() => scanned(xml), SyntaxError);
  });
}
