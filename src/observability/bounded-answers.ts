import { plain, type Answer } from "./http-server.ts";

/** Answers of one snapshot that are made besides the reserved ones. A few people and a program need fewer. */
const MAX_ANSWERS = 8;

export interface AnswerBounds {
  /** Links whose answers are made in any case, so that readers of other pages cannot take them away. */
  readonly reserved: ReadonlySet<string>;
  /** Returns the answer above the bound. It must be cheap. */
  readonly busy: (link: string) => Answer;
}

export const BUSY = "More than 8 different pages were requested within a second. Request this one again in a second.";

/** Returns a text answer that asks the client to come back in a second. */
export function busyText(): Answer {
  return { ...plain(503, BUSY), headers: { "retry-after": "1" } };
}

/**
 * Returns a function that makes each answer once, and then returns it again for each query with the same link. Of links that are
 * not reserved it makes 8 answers; for others it returns `busy`. So readers cannot make a snapshot cost more by changing the query.
 * After these 8, `linkOf` gets `isFull`: work for the link of an answer that is then rejected would be outside of the bound.
 */
export function boundedAnswers<Query>(
  make: (query: Query) => Answer,
  linkOf: (query: Query, isFull: boolean) => string,
  { reserved, busy }: AnswerBounds = { reserved: new Set(), busy: busyText },
): (query: Query) => Answer {
  const answers = new Map<string, Answer>();
  let left = MAX_ANSWERS;
  return (query) => {
    const link = linkOf(query, left <= 0);
    const known = answers.get(link);
    if (known !== undefined) return known;
    if (!reserved.has(link) && left-- <= 0) return busy(link);
    const answer = make(query);
    answers.set(link, answer);
    return answer;
  };
}
