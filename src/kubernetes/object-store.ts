/** What happened to one object; `before` and `after` are what is kept of it, undefined when it is not there. */
export interface Change<T> {
  readonly key: string;
  readonly before: T | undefined;
  readonly after: T | undefined;
}

/** An object as a list gave it. */
export interface ListedObject<T> {
  readonly version: string;
  readonly object: T;
}

/** What is kept of the objects of one kind, by key. */
export class ObjectStore<T> {
  readonly #objects = new Map<string, T>();
  readonly #versions = new Map<string, string>();

  /** Always the same map, always up to date. */
  get objects(): ReadonlyMap<string, T> {
    return this.#objects;
  }

  /** Without an `object` it is removed. Returns nothing when nothing changed, as for an event that comes twice. */
  put(key: string, version: string, object: T | undefined): Change<T> | undefined {
    if (this.#versions.get(key) === version && object !== undefined) return undefined;
    const before = this.#objects.get(key);
    if (object === undefined) {
      this.#versions.delete(key);
      return this.#objects.delete(key) ? { key, before, after: undefined } : undefined;
    }
    this.#versions.set(key, version);
    this.#objects.set(key, object);
    return { key, before, after: object };
  }

  /** Makes the content that of a list. Returns what is different now. */
  replace(list: ReadonlyMap<string, ListedObject<T>>): readonly Change<T>[] {
    const gone = [...this.#objects.keys()].filter((key) => !list.has(key));
    return [
      ...gone.map((key) => this.put(key, "", undefined)),
      ...[...list].map(([key, { version, object }]) => this.put(key, version, object)),
    ].filter((change) => change !== undefined);
  }
}
