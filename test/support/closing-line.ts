// Prints one line of totals over all projects as the very last thing of a run, for machines to read:
//   12 passed, 0 failed, 1 skipped
import { writeSync } from "node:fs";
import process from "node:process";
import type { Reporter, TestModule } from "vitest/node";

/** What failed without being a test: a file that does not load, a hook that throws. */
function brokenParts(module: TestModule): number {
  const suites = [...module.children.allSuites()].filter((suite) => suite.errors().length > 0);
  return suites.length + (module.errors().length > 0 ? 1 : 0);
}

export class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      counts.failed += brokenParts(module);
      for (const test of module.children.allTests()) counts[test.result().state] += 1;
    }
    // A test that never came to an end did not pass.
    const failed = counts.failed + counts.pending;
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
    // On exit, so that nothing that others still print comes after it.
    process.once("exit", () =>
      writeSync(1, `${counts.passed} passed, ${failed} failed${skipped}\n`),
    );
  }
}
