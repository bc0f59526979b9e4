/** A patch that no longer fits plants nothing: the score of the mutants would say less than it seems to. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from './sources.ts';

const folder = join(root, 'test/mutants');
const patches = readdirSync(folder).filter((name) => name.endsWith('.patch'));

/** What stands against the patch. */
function wrongWith(name: string): string[] {
  const text = readFileSync(join(folder, name), 'utf8');
  const tests = /^# tests: (.*)$/m.exec(text)?.[1]?.split(' ') ?? [];
  const wrong = tests.filter((path) => !existsSync(join(root, path))).map((path) => `names no test: ${path}`);
  if (tests.length === 0 && !/^# found by: \S+ within \d+ seeds/m.test(text))
    wrong.push('says neither which checker finds it nor which tests do');
  try {
    execFileSync('git', ['apply', '--check', join(folder, name)], { cwd: root, stdio: 'pipe' });
  } catch (thrown) {
    wrong.push(String((thrown as { stderr?: Buffer }).stderr ?? thrown).trim());
  }
  return wrong.map(
    (what) => `test/mutants/${name}  ${what} — mend the patch, and see it found: npm run sim -- mutants`,
  );
}

it('every mutant fits the code as it is, and says who finds it', () => {
  expect(patches.length).toBeGreaterThan(40);
  expect(patches.flatMap(wrongWith).join('\n')).toBe('');
});
