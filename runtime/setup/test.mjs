/**
 * `npm test`: sets up what the tests need, then everything that holds the house up: types, lint, format, dead code,
 * bundles, tests. `--fast` is `npm run check`: the same without what needs a real machine. Ends with one plain line,
 * `N passed, N failed`; a check besides the tests counts only when it fails.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gatherBeside, packageProgram, run, say } from './commands.mjs';
import { ensureDebianPackages } from './debian-packages.mjs';
import { ensureNpmPackages } from './npm-packages.mjs';

const fast = process.argv.includes('--fast');
const forVitest = process.argv.slice(2).filter((flag) => flag !== '--fast');
// Some of the tests only: then the tests are all that counts.
const partial = forVitest.length > 0;

ensureNpmPackages();
const missing = fast ? [] : ensureDebianPackages('tests');

let failed = 0;
// Beside each other: the slowest works on one processor alone.
await Promise.all([
  ...(partial
    ? []
    : [
        check('format', packageProgram('prettier'), ['--check', '--log-level', 'warn', '.']),
        check('types', packageProgram('tsc'), ['-p', '.']),
        check('lint', packageProgram('oxlint'), []),
        check('dead code', packageProgram('knip'), []),
      ]),
  ...(fast ? [] : [check('bundles', process.execPath, ['runtime/setup/build.mjs'])]),
]);
report(await tests());

async function check(name, program, args) {
  const started = performance.now();
  const { code, output } = await gatherBeside(program, args);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  say(`${code === 0 ? '✓' : '✗'} ${name}  ${seconds} s`);
  if (code === 0) return;
  failed += 1;
  say(output.trim());
}

/** With the totals that our reporter wrote; without them Vitest itself did not come to its end. */
async function tests() {
  const folder = mkdtempSync(join(tmpdir(), 'hivemind-totals-'));
  const file = join(folder, 'totals.json');
  const projects = fast ? ['tidy', 'unit', 'runtime'].flatMap((name) => ['--project', name]) : [];
  const reporters = ['--reporter=default', '--reporter=./runtime/setup/totals-reporter.mjs'];
  const env = { ...process.env, HIVEMIND_TEST_TOTALS: file };
  try {
    const code = await run(packageProgram('vitest'), ['run', ...projects, ...reporters, ...forVitest], {
      env,
    });
    const counted = read(file) ?? { passed: 0, failed: 1, skipped: [] };
    return { ...counted, failed: code !== 0 && counted.failed === 0 ? 1 : counted.failed };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function report(totals) {
  const reasons = new Map();
  for (const { file, name, why } of totals.skipped) {
    const line = why ? `${file}: ${why}` : `${file} > ${name}`;
    reasons.set(line, (reasons.get(line) ?? 0) + 1);
  }
  for (const [line, count] of reasons) console.log(`skipped ${count}: ${line}`);
  if (missing.length > 0) console.log(`not on this machine: ${missing.join(', ')}`);
  const all = totals.failed + failed;
  const skipped = totals.skipped.length > 0 ? `, ${totals.skipped.length} skipped` : '';
  console.log(`${totals.passed} passed, ${all} failed${skipped}`);
  process.exitCode = all > 0 ? 1 : 0;
}
