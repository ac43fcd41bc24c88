const HEAD = `# Benchmarks

<!-- Written by \`npm run bench\`; change what is in benchmarks/, not this file. -->

Ratios carry over to other machines, milliseconds do not. What is compared with each other had its turn in every round, or ran at the
same time; the figures are medians over the rounds: what a busy machine adds, it adds to all of them. \`npm run bench\` measures
everything anew, and a part alone with what is given there.`;

/** docs/benchmarks.md: these parts as they were measured now, and those that were not as they are on the page. */
export function page(names: readonly string[], measured: ReadonlyMap<string, string>, before: string): string {
  const parts = names.flatMap((name) => {
    const text = measured.get(name) ?? partOf(before, name);
    return text === undefined ? [] : [`${marker(name)}\n\n${text}`];
  });
  return [HEAD, ...parts].join("\n\n");
}

function partOf(page: string, name: string): string | undefined {
  return page.split(marker(name))[1]?.split("<!-- part: ")[0]?.trim();
}

function marker(name: string): string {
  return `<!-- part: ${name} -->`;
}
