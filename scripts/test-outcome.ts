/** The results of all test files. */
export interface Outcome {
  /** Whether a file failed; an integration file fails if it fails twice. */
  readonly failed: boolean;
  /** Files that failed and then passed at their second try. */
  readonly flaky: readonly string[];
  /** Files that did not run, each with its missing prerequisites. */
  readonly skipped: readonly string[];
}

/**
 * Returns the exit code of the test run, and the messages to print at its end. With `ci`, a flaky or skipped file fails the
 * run, because a change must not land on a test that fails now and then, or that did not run.
 */
export function report({ failed, flaky, skipped }: Outcome, ci: boolean): { exitCode: number; messages: string[] } {
  const ciFailures = ci
    ? [
        ...(flaky.length > 0 ? ["with CI=true no test may pass only at its second try"] : []),
        ...(skipped.length > 0 ? ["with CI=true no test may be skipped"] : []),
      ]
    : [];
  const anyFailed = failed || ciFailures.length > 0;
  return {
    exitCode: anyFailed ? 1 : 0,
    messages: [
      ...box("FLAKY TESTS: they failed and then passed at their second try; find out why", flaky),
      ...box("TESTS WERE SKIPPED", skipped),
      ...ciFailures,
      anyFailed ? "tests failed" : "all tests that ran passed",
    ],
  };
}

function box(title: string, items: readonly string[]): string[] {
  if (items.length === 0) return [];
  const line = "!".repeat(80);
  return [line, `!! ${title}:`, ...items.map((item) => `!! ${item}`), line];
}
