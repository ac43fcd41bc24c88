import { KubeError } from "./kube-error.ts";

/** Reads the body of one answer while it arrives. */
export interface BodyReader {
  /** @throws {KubeError} E_KUBE_PROTOCOL if the body cannot be used */
  push(chunk: Buffer): void;
  /**
   * Returns the value of the body after its last chunk.
   * @throws {KubeError} E_KUBE_PROTOCOL if it is not valid
   */
  end(): unknown;
}

/**
 * Longest JSON text of one object, as an element of a list, an event of a watch or an answer. The default limit of etcd is
 * 1.5 MiB. A parsed object needs several times the memory of its text.
 */
export const MAX_OBJECT_BYTES = 4 * 1024 * 1024;

/** Collects chunks up to a limit, for one text. */
export class BoundedText {
  readonly #what: string;
  #parts: Buffer[] = [];
  #bytes = 0;

  /** `what` names the text in the error. */
  constructor(what: string) {
    this.#what = what;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @throws {KubeError} E_KUBE_PROTOCOL if the text is longer than MAX_OBJECT_BYTES */
  push(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_OBJECT_BYTES)
      throw new KubeError("E_KUBE_PROTOCOL", `${this.#what} has more than ${MAX_OBJECT_BYTES} bytes`);
    if (chunk.length > 0) this.#parts.push(chunk);
  }

  toString(): string {
    return Buffer.concat(this.#parts).toString("utf8");
  }
}

/** Reads a whole body: JSON, or text. */
export class WholeBody implements BodyReader {
  readonly #isJson: boolean;
  readonly #text = new BoundedText("an answer");

  constructor(isJson: boolean) {
    this.#isJson = isJson;
  }

  push(chunk: Buffer): void {
    this.#text.push(chunk);
  }

  end(): unknown {
    const text = this.#text.toString();
    return this.#isJson ? parseJson(text) : text;
  }
}

/** @throws {KubeError} E_KUBE_PROTOCOL if the text is not JSON */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which may be a Secret.
    throw new KubeError("E_KUBE_PROTOCOL", "the API server sent a text that is not JSON");
  }
}
