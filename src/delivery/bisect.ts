import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import type { Frame } from "../spool/spool.ts";
import type { Outcome } from "./outcome.ts";

const decompress = promisify(gunzip);
const compress = promisify(gzip);

/** One bad line among 5,000 takes 27 requests, twenty take 359: then the rest of the batch is given up. */
const MAX_REQUESTS = 64;
const MAX_EXAMPLE = 200;

export interface Bisection {
  readonly rejectedLines: number;
  /** The first line that was refused, cut, and the server's reason. */
  readonly example: string;
  /** Why the search had to stop before its end: nothing is decided then, and the frames must be sent again. */
  readonly interrupted?: Outcome;
}

/**
 * Finds the lines for which a server refuses whole batches, by sending halves. Lines that were stored before are stored
 * again with the same values, which changes nothing.
 */
export async function bisect(
  frames: readonly Frame[],
  send: (body: Uint8Array) => Promise<Outcome>,
): Promise<Bisection> {
  const lines = (await Promise.all(frames.map(frameLines))).flat();
  const suspects: (readonly string[])[] = halves(lines);
  let rejectedLines = 0;
  let example = "";
  for (let requests = 0; suspects.length > 0; requests++) {
    const part = suspects.pop() ?? [];
    if (requests >= MAX_REQUESTS) {
      rejectedLines += part.length;
      continue;
    }
    const outcome = await send(await compress(part.join("")));
    if (outcome.kind === "refused" || outcome.kind === "tooLarge") {
      if (part.length > 1) suspects.push(...halves(part));
      else {
        rejectedLines++;
        example ||= `${(part[0] ?? "").slice(0, MAX_EXAMPLE).trimEnd()} (${outcome.detail})`;
      }
    } else if (outcome.kind === "partial") {
      rejectedLines++;
      example ||= outcome.detail;
    } else if (outcome.kind !== "delivered") return { rejectedLines, example, interrupted: outcome };
  }
  return { rejectedLines, example };
}

async function frameLines({ payload, rawBytes }: Frame): Promise<string[]> {
  const text = (await decompress(payload, { maxOutputLength: rawBytes })).toString();
  return text.match(/[^\n]*\n/g) ?? [];
}

/** The later half first: it is taken from the end. A single line is itself. */
function halves<Item>(items: readonly Item[]): (readonly Item[])[] {
  if (items.length <= 1) return [items];
  const middle = Math.ceil(items.length / 2);
  return [items.slice(middle), items.slice(0, middle)];
}
