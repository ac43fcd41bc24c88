/** What is known when all tests have run. */
export interface Outcome {
  /** Whether a test failed and, where a file is run again, failed again. */
  readonly failed: boolean;
  /** Files that failed, and passed when they were run again. */
  readonly flaky: readonly string[];
  /** Files that were left out, with what they need. */
  readonly skipped: readonly string[];
}

/**
 * The exit code of the test run, and what to say at its end. A contributor may go on with a flaky or skipped file; with
 * `ci` both are failures: a change must not land on a test that fails now and then, or that did not run.
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
      ...box("FLAKY TESTS: they failed, and passed when they were run again; find out why", flaky),
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
