/**
 * Vitest reporter for `npm test`: writes how many tests passed, failed and were skipped, and why, to the file that
 * HIVEMIND_TEST_TOTALS names. What cannot be collected counts as failed: a file that does not load, an error outside
 * of any test, a run that was interrupted.
 */
import { writeFileSync } from 'node:fs';

export default class TotalsReporter {
  onTestRunEnd(modules, unhandledErrors, why) {
    const totals = {
      passed: 0,
      failed: unhandledErrors.length + (why === 'interrupted' ? 1 : 0),
      skipped: [],
    };
    for (const module of modules) {
      totals.failed += failuresOutsideTests(module);
      for (const test of module.children.allTests()) count(test, module, totals);
    }
    const file = process.env.HIVEMIND_TEST_TOTALS;
    if (file) writeFileSync(file, JSON.stringify(totals));
  }
}

function failuresOutsideTests(module) {
  const suites = [module, ...module.children.allSuites()];
  return suites.filter((suite) => suite.errors().length > 0).length;
}

function count(test, module, totals) {
  const { state, note } = test.result();
  if (state === 'passed') totals.passed += 1;
  else if (state === 'skipped') {
    totals.skipped.push({ file: module.relativeModuleId ?? module.moduleId, name: test.fullName, why: note });
  } else totals.failed += 1;
}
