import assert from "node:assert/strict";
import { test } from "node:test";
import { OLD_WORDS, oldWordsIn } from "../../../scripts/old-words.ts";

for (const { phrase, examples, instead } of OLD_WORDS) {
  test(`${phrase} is found at its line, also in capitals and across a line break`, () => {
    assert.ok(examples.length > 0);
    for (const example of examples) {
      const broken = example.replace(" ", "\n   * ");
      for (const text of [example, example.toUpperCase(), broken]) {
        const found = oldWordsIn(`one\n  // ${text}, and more\nthree`);
        assert.equal(found.length, 1, text);
        assert.ok(found[0]?.instead === instead && found[0].line >= 2, text);
      }
      assert.deepEqual(oldWordsIn(example.replaceAll(/(\w+)/g, "x$1x")), [], "part of another word");
    }
  });
}

test("every old word is returned, ordered by line", () => {
  const examples = OLD_WORDS.flatMap(({ examples }) => examples).reverse();
  const found = oldWordsIn(examples.join(".\n"));
  assert.deepEqual(
    found.map(({ line }) => line),
    examples.map((_, index) => index + 1),
  );
});

test("plain words are not found", () => {
  assert.deepEqual(oldWordsIn("None of the targets is in the enforced list.\nThe agent said so. Many\n\nstand."), []);
});
