// Fails if a text contains a word of old-words.ts, and prints where.
import { globSync, readFileSync, statSync } from "node:fs";
import { isIn, NOT_YET, oldWordsIn } from "./old-words.ts";

const TEXTS = ["src/**", "docs/**", "test/**", "charts/**", "README.md", "CONTRIBUTING.md"];

// Python has the operator `is None`.
const files = globSync(TEXTS, { exclude: ["**/*.py"] })
  .filter((file) => statSync(file).isFile())
  .sort();
const unswept = new Set<string>();
for (const file of files) {
  const bytes = readFileSync(file);
  // Not a text, for example a picture.
  if (bytes.includes(0)) continue;
  const found = oldWordsIn(bytes.toString());
  if (isIn(NOT_YET, file)) {
    if (found.length > 0) unswept.add(file);
    continue;
  }
  for (const { line, words, instead } of found) console.log(`${file}:${line}: "${words}": write ${instead}`);
  if (found.length > 0) process.exitCode = 1;
}
for (const entry of NOT_YET)
  if (![...unswept].some((file) => isIn([entry], file))) console.log(`${entry} has no old word: take it off NOT_YET`);
