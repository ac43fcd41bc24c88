/** A word or phrase that slows down a reader whose first language is not English. */
interface OldWord {
  /** Part of a regular expression; a space matches any white space, also a line break inside a comment. */
  readonly phrase: string;
  readonly examples: readonly string[];
  /** Plain words that may replace it. */
  readonly instead: string;
}

/** The words that `npm run check` rejects. */
export const OLD_WORDS: readonly OldWord[] = [
  {
    phrase: "(whom|whoever|nobody|somebody|anybody)",
    examples: ["to whom it belongs", "Whoever asks", "nobody listens", "somebody's work", "anybody"],
    instead: "the name of what is meant: the agent, the caller, no process",
  },
  { phrase: "is none", examples: ["an address that is none"], instead: "is not an address, is invalid" },
  { phrase: "for want of", examples: ["for want of space"], instead: "without, because there is no" },
  { phrase: "so many", examples: ["after so many tries"], instead: "the number, that many" },
  { phrase: "in force", examples: ["the one in force"], instead: "active, current, applied" },
  { phrase: "(is|are|was) said", examples: ["it is said", "are said to"], instead: "reports, is reported" },
  { phrase: "what (is|was) asked for", examples: ["what is asked for"], instead: "the request" },
  { phrase: "(lets?|letting) go of", examples: ["lets go of it", "let go of"], instead: "release, close, drop" },
  { phrase: "com(es?|ing) late", examples: ["who comes late"], instead: "is late, after" },
  { phrase: "stands? still", examples: ["the clock stands still"], instead: "stops, is stalled" },
];

interface Found {
  /** 1-based; where the phrase begins. */
  readonly line: number;
  readonly words: string;
  readonly instead: string;
}

/** Matches spaces, and at most one line break followed by a comment mark. */
const GAP = String.raw`[ \t]*(?:[ \t]|\n[ \t]*(?:\*|//|#|>)?[ \t]*)`;

/** Returns every old word of a text, ordered by line. */
export function oldWordsIn(text: string): Found[] {
  return OLD_WORDS.flatMap(({ phrase, instead }) => {
    const everywhere = new RegExp(String.raw`\b${phrase.replaceAll(" ", GAP)}\b`, "gi");
    return [...text.matchAll(everywhere)].map(({ index, 0: words }) => ({
      line: text.slice(0, index).split("\n").length,
      words: words.replace(/[\s*/#>]+/g, " "),
      instead,
    }));
  }).sort((one, other) => one.line - other.line);
}
