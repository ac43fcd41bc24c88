/** A change of one object. `before` and `after` are projections, undefined if the object does not exist. */
export interface Change<T> {
  readonly key: string;
  readonly before: T | undefined;
  readonly after: T | undefined;
}

/** The projection of an object in a list. */
export interface ListedObject<T> {
  readonly version: string;
  readonly object: T;
}

/** The projections of the objects of one kind, by key. */
export class ObjectStore<T> {
  readonly #objects = new Map<string, T>();
  readonly #versions = new Map<string, string>();

  /** The same map during the life of the store; it is always up to date. */
  get objects(): ReadonlyMap<string, T> {
    return this.#objects;
  }

  /**
   * Stores an object, or deletes it if `object` is undefined. Returns the change; undefined if nothing changed, as for a
   * repeated event.
   */
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

  /** Lets the next list replace every object, also those of the same version. */
  forgetVersions(): void {
    this.#versions.clear();
  }

  /** Replaces the content with a list. Returns the changes. */
  replace(list: ReadonlyMap<string, ListedObject<T>>): readonly Change<T>[] {
    const gone = [...this.#objects.keys()].filter((key) => !list.has(key));
    return [
      ...gone.map((key) => this.put(key, "", undefined)),
      ...[...list].map(([key, { version, object }]) => this.put(key, version, object)),
    ].filter((change) => change !== undefined);
  }
}
