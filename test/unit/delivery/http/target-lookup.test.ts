import assert from "node:assert/strict";
import type { LookupAddress } from "node:dns";
import { test } from "node:test";
import { TargetLookup } from "../../../../src/delivery/http/target-lookup.ts";

type Answer = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

/** A name server whose answers the test gives. A connection waits at most a millisecond for it. */
function setUp() {
  const asked: { readonly host: string; readonly answer: Answer }[] = [];
  const lookup = new TargetLookup((host, _options, answer) => asked.push({ host, answer }), 1);
  const find = (host = "influx.example"): Promise<unknown> =>
    new Promise((resolve) => {
      lookup.lookup(host, { all: true }, (error, addresses) => {
        resolve(error?.code ?? addresses);
      });
    });
  return { asked, lookup, find };
}

function address(last: number): LookupAddress {
  return { address: `10.0.0.${last}`, family: 4 };
}

function failure(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code });
}

test("a name has one lookup at a time, however often it is needed", async () => {
  const { asked, find } = setUp();
  const found = [find(), find(), find(), find("other.example")];
  assert.deepEqual(
    asked.map(({ host }) => host),
    ["influx.example", "other.example"],
  );
  for (const { answer } of asked) answer(null, [address(1)]);
  assert.deepEqual(await Promise.all(found), Array(4).fill([address(1)]));
});

test("of thousands of addresses the first eight are used", async () => {
  const { asked, find } = setUp();
  const found = find();
  asked[0]?.answer(
    null,
    Array.from({ length: 5_000 }, (_, index) => address(index)),
  );
  assert.deepEqual(
    await found,
    Array.from({ length: 8 }, (_, index) => address(index)),
  );
});

test("while the name server does not answer, the addresses of its last answer are used", async () => {
  const { asked, find } = setUp();
  const first = find();
  asked[0]?.answer(null, [address(1)]);
  await first;
  assert.deepEqual(await find(), [address(1)]);
  assert.deepEqual(await find(), [address(1)]);
  assert.equal(asked.length, 2);
  asked[1]?.answer(null, [address(2)]);
  for (const [index, code] of ["EAI_AGAIN", "EAI_FAIL", "EMFILE"].entries()) {
    const next = find();
    asked[2 + index]?.answer(failure(code), []);
    assert.deepEqual(await next, [address(2)], code);
  }
});

test("a name that does not exist any more fails, also after earlier answers", async () => {
  const { asked, find } = setUp();
  const first = find();
  asked[0]?.answer(null, [address(1)]);
  await first;
  const next = find();
  asked[1]?.answer(failure("ENOTFOUND"), []);
  assert.equal(await next, "ENOTFOUND");
});

test("a failure that arrives after the wait is not unhandled", async () => {
  const { asked, find } = setUp();
  const first = find();
  asked[0]?.answer(null, [address(1)]);
  await first;
  await find();
  asked[1]?.answer(failure("ENOTFOUND"), []);
  await new Promise(setImmediate);
});

test("a connection that wants one address gets the first", async () => {
  const { asked, lookup } = setUp();
  const found = Promise.withResolvers<unknown>();
  lookup.lookup("influx.example", {}, (error, host, family) => {
    found.resolve([error, host, family]);
  });
  asked[0]?.answer(null, [address(1), address(2)]);
  assert.deepEqual(await found.promise, [null, "10.0.0.1", 4]);
});
