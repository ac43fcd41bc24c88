// Fails if a text contains a word of old-words.ts, and prints where.
import { globSync, readFileSync, statSync } from "node:fs";
import { oldWordsIn } from "./old-words.ts";

const TEXTS = ["src/**", "docs/**", "test/**", "charts/**", "README.md", "CONTRIBUTING.md"];

// Python has the operator `is None`.
const files = globSync(TEXTS, { exclude: ["**/*.py"] })
  .filter((file) => statSync(file).isFile())
  .sort();
for (const file of files) {
  const bytes = readFileSync(file);
  // Not a text, for example a picture.
  if (bytes.includes(0)) continue;
  const found = oldWordsIn(bytes.toString());
  for (const { line, words, instead } of found) console.log(`${file}:${line}: "${words}": write ${instead}`);
  if (found.length > 0) process.exitCode = 1;
}
