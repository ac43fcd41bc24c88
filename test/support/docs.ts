import { readFileSync } from "node:fs";

export interface DocBlock {
  /** The heading above it. */
  readonly heading: string;
  readonly language: string;
  readonly text: string;
  /** The reason in a comment `not-run: why` above it. */
  readonly notRun: string | undefined;
}

const PART =
  /^#+ (?<heading>[^\n]*)$|(?:^<!-- not-run: (?<why>[^\n]*) -->\n+)?^```(?<language>\w+)\n(?<text>.*?)^```$/gms;
const HEADING_OR_TABLE = /^#+ (?<heading>[^\n]*)$|(?<table>(?:^\|[^\n]*\|\n)+)/gm;

/** Returns the code blocks of a page. */
export function docBlocks(file: string): readonly DocBlock[] {
  let heading = "";
  const blocks: DocBlock[] = [];
  for (const { groups = {} } of readFileSync(file, "utf8").matchAll(PART)) {
    if (groups["heading"] !== undefined) heading = groups["heading"];
    else
      blocks.push({ heading, language: groups["language"] ?? "", text: groups["text"] ?? "", notRun: groups["why"] });
  }
  return blocks;
}

export interface DocTable {
  /** The heading above it. */
  readonly heading: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Returns the tables of a page. */
export function docTables(file: string): readonly DocTable[] {
  let heading = "";
  const tables: DocTable[] = [];
  for (const { groups = {} } of outsideOfCode(file).matchAll(HEADING_OR_TABLE)) {
    if (groups["heading"] !== undefined) heading = groups["heading"];
    else {
      const [columns = [], , ...rows] = (groups["table"] ?? "").trimEnd().split("\n").map(cells);
      tables.push({ heading, columns, rows });
    }
  }
  return tables;
}

/** Returns the headings of a page. */
export function docHeadings(file: string): readonly string[] {
  return [...outsideOfCode(file).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => heading);
}

/** Returns the anchor that GitHub gives to a heading, if no earlier heading of the page has the same text. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, "")
    .replaceAll(" ", "-");
}

/** Returns a page without its code blocks. */
export function outsideOfCode(file: string): string {
  return readFileSync(file, "utf8").replace(/^```.*?^```$/gms, "");
}

function cells(row: string): string[] {
  return row
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());
}
