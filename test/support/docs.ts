import { readFileSync } from "node:fs";

export interface DocBlock {
  /** The heading that it stands below. */
  readonly heading: string;
  readonly language: string;
  readonly text: string;
  /** Of a comment `not-run: why` above it. */
  readonly notRun: string | undefined;
}

const PART =
  /^#+ (?<heading>[^\n]*)$|(?:^<!-- not-run: (?<why>[^\n]*) -->\n+)?^```(?<language>\w+)\n(?<text>.*?)^```$/gms;

/** The blocks of code of a page. */
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
