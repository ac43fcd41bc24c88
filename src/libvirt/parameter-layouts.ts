import type { TypedParameters, TypedValue } from "./types.ts";

/** The name of a field, and its bytes on the wire. */
export interface KnownName {
  readonly bytes: Buffer;
  readonly text: string;
}

/** The names of the statistics of a domain in their order. */
interface ParameterLayout {
  readonly names: readonly KnownName[];
  /** Name -> its place. */
  readonly index: ReadonlyMap<string, number>;
}

/** Most names of all layouts together. A domain has about a hundred, and a host has domains with some different numbers of devices. */
const MAX_NAMES = 4_096;

/** Part of the names of a layout that may be unknown: they need memory of their own. */
const MAX_UNKNOWN = 0.2;

/**
 * Knows the layouts of the domains in a reply by their positions, which rarely change between two replies. Domains with the same
 * names share a layout. When there is no room for another one, further domains have none: replaced layouts would cost more.
 */
export class ParameterLayouts {
  readonly #all: ParameterLayout[] = [];
  readonly #byPosition: ParameterLayout[] = [];
  #names = 0;

  /** Returns the likely layout of the domain at this position of a reply, with this number of names. */
  find(position: number, count: number): ParameterLayout | undefined {
    const last = this.#byPosition[position];
    return last?.names.length === count ? last : this.#all.find(({ names }) => names.length === count);
  }

  /** Records the layout of the domain at this position. */
  record(position: number, layout: ParameterLayout): void {
    this.#byPosition[position] = layout;
  }

  /**
   * Records the layout of these parameters. They have none if a name repeats, or if `known` returns too few of them.
   */
  learn(
    position: number,
    params: TypedParameters,
    count: number,
    known: (name: string) => KnownName | undefined,
  ): void {
    if (params.size !== count) return;
    const layout = this.#all.find((other) => hasNames(other, params)) ?? this.#add(params, known);
    if (layout !== undefined) this.record(position, layout);
  }

  #add(params: TypedParameters, known: (name: string) => KnownName | undefined): ParameterLayout | undefined {
    if (this.#names + params.size > MAX_NAMES) return undefined;
    const names: KnownName[] = [];
    const index = new Map<string, number>();
    let unknown = 0;
    for (const text of params.keys()) {
      const name = known(text);
      if (name === undefined && ++unknown > params.size * MAX_UNKNOWN) return undefined;
      index.set(text, names.push(name ?? { bytes: Buffer.from(text), text }) - 1);
    }
    this.#names += names.length;
    const layout = { names, index };
    this.#all.push(layout);
    return layout;
  }
}

function hasNames({ names }: ParameterLayout, params: TypedParameters): boolean {
  if (names.length !== params.size) return false;
  let place = 0;
  for (const name of params.keys()) if (names[place++]?.text !== name) return false;
  return true;
}

/** Parameters as an array of values. All domains with the same layout share the names. */
export class LaidOutParameters implements TypedParameters {
  readonly #index: ReadonlyMap<string, number>;
  readonly #values: readonly TypedValue[];

  constructor(index: ReadonlyMap<string, number>, values: readonly TypedValue[]) {
    this.#index = index;
    this.#values = values;
  }

  get size(): number {
    return this.#values.length;
  }

  get(name: string): TypedValue | undefined {
    const place = this.#index.get(name);
    return place === undefined ? undefined : this.#values[place];
  }

  has(name: string): boolean {
    return this.#index.has(name);
  }

  keys(): MapIterator<string> {
    return this.#index.keys();
  }

  values(): MapIterator<TypedValue> {
    return this.#asMap().values();
  }

  entries(): MapIterator<[string, TypedValue]> {
    return this.#asMap().entries();
  }

  [Symbol.iterator](): MapIterator<[string, TypedValue]> {
    return this.entries();
  }

  /** Returns a copy; rare, because the values of a cycle are read by their names. */
  #asMap(): Map<string, TypedValue> {
    const map = new Map<string, TypedValue>();
    for (const [name, place] of this.#index) {
      const value = this.#values[place];
      if (value !== undefined) map.set(name, value);
    }
    return map;
  }
}
