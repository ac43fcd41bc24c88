// The storage of an API server: objects by collection, one version counter, and a history for watches.

export interface FakeObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly resourceVersion?: string;
  };
  readonly [field: string]: unknown;
}

interface FakeEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: FakeObject;
}

export interface FakeAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Query;
  readonly object: FakeObject | undefined;
  readonly contentType: string | undefined;
}

interface Recorded {
  readonly collection: string;
  readonly version: number;
  readonly before: FakeObject | undefined;
  readonly after: FakeObject | undefined;
}

type Query = Readonly<Record<string, string>>;
type Listener = (event: FakeEvent) => void;

interface Watcher {
  readonly collection: string;
  readonly selector: string | undefined;
  readonly from: number;
  readonly listener: Listener;
}

export class FakeObjects {
  readonly #collections = new Map<string, Map<string, FakeObject>>();
  readonly #watchers = new Set<Watcher>();
  #history: Recorded[] = [];
  #version = 1_000;
  #oldest = 0;

  get version(): string {
    return String(this.#version);
  }

  /** Creates or replaces an object of a collection such as `/apis/kubevirt.io/v1/virtualmachineinstances`. */
  put(collection: string, object: FakeObject): FakeObject {
    const objects = this.#objectsOf(collection);
    const key = keyOf(object);
    const before = objects.get(key);
    const after = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
    objects.set(key, after);
    this.#record({ collection, version: this.#version, before, after });
    return after;
  }

  delete(collection: string, key: string): void {
    const objects = this.#objectsOf(collection);
    const before = objects.get(key);
    if (before === undefined) throw new Error(`${key} is not there`);
    objects.delete(key);
    this.#record({ collection, version: ++this.#version, before, after: undefined });
  }

  get(collection: string, key: string): FakeObject | undefined {
    return this.#objectsOf(collection).get(key);
  }

  /** Increases the version without an event. */
  advance(): void {
    this.#version++;
  }

  /** Deletes the history: no watch and no page can begin in the past. */
  compact(): void {
    this.#history = [];
    this.#oldest = this.#version;
  }

  /** Sets the version back, as a restored backup does: clients' versions are then in the future. */
  restore(): void {
    this.#version -= 500;
    this.#history = [];
    this.#oldest = 0;
  }

  /** Answers any request except a watch. */
  answer({ method, path, query, object, contentType }: FakeRequest): FakeAnswer {
    const [, collection = path, name] = /^(.*\/(?:leases|nodetelemetries|configmaps))\/([^/]+)/.exec(path) ?? [];
    if (object !== undefined) {
      if (method === "POST") return this.#create(path, object);
      if (method === "PUT") return this.#replace(collection, object);
      if (contentType !== "application/apply-patch+yaml") return failure(415, "unsupported media type");
      return this.#apply(collection, object, query);
    }
    if (name === undefined) return this.#list(collection, query);
    const namespace = /\/namespaces\/([^/]+)\//.exec(path)?.[1];
    const found = this.get(collection, keyOf({ metadata: { name, ...(namespace !== undefined && { namespace }) } }));
    return found === undefined ? failure(404, `${name} not found`) : { status: 200, body: found };
  }

  #create(collection: string, object: FakeObject): FakeAnswer {
    if (this.get(collection, keyOf(object)) !== undefined) return failure(409, "already exists");
    return { status: 201, body: this.put(collection, object) };
  }

  #replace(collection: string, object: FakeObject): FakeAnswer {
    const before = this.get(collection, keyOf(object));
    if (before === undefined) return failure(404, `${object.metadata.name} not found`);
    if (object.metadata.resourceVersion !== before.metadata.resourceVersion)
      return failure(409, "the object has been modified; please apply your changes to the latest version");
    return { status: 200, body: this.put(collection, object) };
  }

  #apply(collection: string, object: FakeObject, query: Query): FakeAnswer {
    if (query["fieldManager"] === undefined) return failure(422, "fieldManager is required for apply patch");
    const created = this.get(collection, keyOf(object)) === undefined;
    return { status: created ? 201 : 200, body: this.put(collection, object) };
  }

  #list(collection: string, query: Query): FakeAnswer {
    const wanted = query["resourceVersion"] ?? "";
    if (query["resourceVersionMatch"] === "NotOlderThan" && Number(wanted) > this.#version) {
      const details = { retryAfterSeconds: 1, causes: [{ reason: "ResourceVersionTooLarge" }] };
      return { ...failure(504, "Timeout: Too large resource version", details), headers: { "retry-after": "1" } };
    }
    const [atText = this.version, startText = "0"] = (query["continue"] ?? "").split("/").filter(Boolean);
    if (Number(atText) < this.#oldest) return failure(410, "The provided continue parameter is too old");
    const matching = [...this.#objectsOf(collection).values()].filter((object) =>
      matches(object, query["labelSelector"]),
    );
    const start = Number(startText);
    const limit = wanted === "0" || query["limit"] === undefined ? matching.length : Number(query["limit"]);
    const end = start + limit;
    const more = end < matching.length ? { continue: `${atText}/${end}` } : {};
    return {
      status: 200,
      body: { metadata: { resourceVersion: atText, ...more }, items: matching.slice(start, end) },
    };
  }

  /** Calls the listener for all events after the version; returns the stop function, or the error. */
  watch(collection: string, query: Query, listener: Listener): (() => void) | FakeAnswer {
    const from = Number(query["resourceVersion"]);
    if (from < this.#oldest) return failure(410, "too old resource version");
    const watcher = { collection, selector: query["labelSelector"], from, listener };
    for (const recorded of this.#history) notify(watcher, recorded);
    this.#watchers.add(watcher);
    return () => {
      this.#watchers.delete(watcher);
    };
  }

  #objectsOf(collection: string): Map<string, FakeObject> {
    const objects = this.#collections.get(collection) ?? new Map<string, FakeObject>();
    this.#collections.set(collection, objects);
    return objects;
  }

  #record(recorded: Recorded): void {
    this.#history.push(recorded);
    for (const watcher of this.#watchers) notify(watcher, recorded);
  }
}

export function failure(code: number, message: string, details?: object): FakeAnswer {
  const body = { kind: "Status", apiVersion: "v1", status: "Failure", code, message, ...(details && { details }) };
  return { status: code, body };
}

function keyOf({ metadata: { namespace, name } }: FakeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** Calls the listener with the event as its selector sees it: an object that is no longer selected is deleted. */
function notify({ collection, selector, from, listener }: Watcher, recorded: Recorded): void {
  if (recorded.collection !== collection || recorded.version <= from) return;
  const resourceVersion = String(recorded.version);
  const before = recorded.before !== undefined && matches(recorded.before, selector) ? recorded.before : undefined;
  const after = recorded.after !== undefined && matches(recorded.after, selector) ? recorded.after : undefined;
  if (after !== undefined) listener({ type: before === undefined ? "ADDED" : "MODIFIED", object: after });
  else if (before !== undefined)
    listener({ type: "DELETED", object: { ...before, metadata: { ...before.metadata, resourceVersion } } });
}

function matches({ metadata: { labels = {} } }: FakeObject, selector: string | undefined): boolean {
  if (selector === undefined) return true;
  const [label = "", value] = selector.split("=");
  return labels[label] === value;
}
