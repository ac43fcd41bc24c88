import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ObjectStore, type ListedObject } from "../../../src/kubernetes/object-store.ts";

test("a repeated version and the deletion of a missing object are not changes", () => {
  const store = new ObjectStore<string>();
  assert.deepEqual(store.put("a", "1", "x"), { key: "a", before: undefined, after: "x" });
  assert.equal(store.put("a", "1", "x"), undefined);
  assert.deepEqual(store.put("a", "2", "y"), { key: "a", before: "x", after: "y" });
  assert.equal(store.put("b", "3", undefined), undefined);
  assert.deepEqual(store.put("a", "4", undefined), { key: "a", before: "y", after: undefined });
  assert.deepEqual(store.put("a", "4", "z"), { key: "a", before: undefined, after: "z" });
});

test("an object whose projection becomes undefined is deleted", () => {
  const store = new ObjectStore<string>();
  store.put("a", "1", "x");
  assert.deepEqual(store.put("a", "1", undefined), { key: "a", before: "x", after: undefined });
});

test("a list replaces the content of the store and returns the differences", () => {
  const listed = fc.record({ version: fc.constantFrom("1", "2", "3"), object: fc.constantFrom("x", "y") });
  const list = fc.dictionary(fc.constantFrom("a", "b", "c", "d"), listed);
  fc.assert(
    fc.property(list, list, (first, second) => {
      const store = new ObjectStore<string>();
      const { objects } = store;
      store.replace(mapOf(first));
      const replayed = new Map(objects);
      for (const { key, before, after } of store.replace(mapOf(second))) {
        assert.equal(replayed.get(key), before);
        if (after === undefined) replayed.delete(key);
        else replayed.set(key, after);
      }
      assert.deepEqual(sorted(replayed), sorted(objects));
      assert.deepEqual([...objects.keys()].sort(), Object.keys(second).sort());
      const news = Object.keys(second).filter((key) => first[key]?.version !== second[key]?.version);
      assert.deepEqual(
        news.filter((key) => objects.get(key) !== second[key]?.object),
        [],
      );
      assert.deepEqual(store.replace(mapOf(second)), []);
    }),
  );
});

function mapOf(record: Readonly<Record<string, ListedObject<string>>>): ReadonlyMap<string, ListedObject<string>> {
  return new Map(Object.entries(record));
}

function sorted(map: ReadonlyMap<string, string>): readonly (readonly [string, string])[] {
  return [...map].sort(([one], [other]) => one.localeCompare(other));
}
