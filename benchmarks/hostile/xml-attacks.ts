import type { LauncherAttack } from "./attack.ts";

const MIB = 1 << 20;
/** Just below the longest XML that the budget allows. */
const ALLOWED = 500_000;

/** XML that is costly to parse. The statistics name another NIC in each cycle, so that the agent reads the XML again. */
export const XML_ATTACKS: readonly LauncherAttack[] = [
  {
    name: "dense-xml",
    row: "F6",
    what: "1 MiB of XML with an attribute in every 6 bytes, read again in each cycle",
    behave: xml(attributes(MIB)),
  },
  { name: "dense-xml-500kb", row: "F6", what: "the same with 500 kB", behave: xml(attributes(ALLOWED)) },
  {
    name: "dense-elements",
    row: "F6",
    what: "500 kB of the smallest elements, read again in each cycle",
    behave: xml("<a/>".repeat(ALLOWED / 4)),
  },
  {
    name: "nested-elements",
    row: "F6",
    what: "500 kB of elements that all contain the next one, read again in each cycle",
    behave: xml(`${"<a>".repeat(ALLOWED / 7)}${"</a>".repeat(ALLOWED / 7)}`),
  },
  {
    name: "dense-instructions",
    row: "F6",
    what: "500 kB of processing instructions, read again in each cycle",
    behave: xml("<?a?>".repeat(ALLOWED / 5)),
  },
  {
    name: "dense-comments",
    row: "F6",
    what: "500 kB of comments and entities, read again in each cycle",
    behave: xml("<!---->&lt;".repeat(ALLOWED / 11)),
  },
  { name: "changing-layout", row: "F6", what: "XML of an ordinary VM, read again in each cycle", behave: xml("") },
  {
    name: "invalid-xml",
    row: "F6",
    what: "500 kB of XML without an end, in each cycle",
    behave: xml("", (text) => `${text.slice(0, 200)}${"<a b='".repeat(ALLOWED / 6)}`),
  },
];

/** Inserts text into the XML of the VM, and then changes all of it. */
function xml(inserted: string, change: (text: string) => string = (text) => text): LauncherAttack["behave"] {
  return ({ host }) => {
    let cycle = 0;
    host.adjustStats = (_name, params) => {
      if (params.has("net.0.name")) params.set("net.0.name", `n${++cycle}`);
    };
    host.adjustXml = (_name, text) => change(text.replace("</devices>", () => `</devices>${inserted}`));
    return {};
  };
}

function attributes(length: number): string {
  const parts: string[] = ["<a"];
  for (let at = 0, index = 0; at < length; index++) {
    const part = ` ${index.toString(36).replace(/^\d/, (digit) => `_${digit}`)}=''`;
    parts.push(part);
    at += part.length;
  }
  return `${parts.join("")}/>`;
}
