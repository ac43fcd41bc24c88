const HEAD = `# Benchmarks

<!-- Written by \`npm run bench\`; change the files in benchmarks/, not this file. -->

Ratios carry over to other machines, milliseconds do not. Programs that are compared take turns in every round, or run at the same
time, so other load on the machine affects them equally. The figures are medians over the rounds. \`npm run bench\` measures
everything again. Each part names the command that measures it alone.`;

/** Returns docs/benchmarks.md with the measured parts; the other parts stay as they are on the page. */
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
