/** Reference that needs no network: error codes, topics, the manual page. */
import { execFileSync, spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { catalogue } from '../../../../protocols/errors.ts';
import { topics } from '../../../../runtime/cli/docs/topics.ts';
import { run } from '../kit/run.ts';

test('without a topic: what there is', async () => {
  const { code, stdout } = await run(['docs']);
  expect(code).toBe(0);
  for (const name of Object.keys(topics)) expect(stdout).toMatch(new RegExp(`^${name} `, 'm'));
});

test.each(Object.keys(topics))('docs %s', async (topic) => {
  const { code, stdout, stderr } = await run(['docs', topic]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout.length).toBeGreaterThan(100);
});

test('every error code, with its cause and next step', async () => {
  const all = (await run(['docs', 'errors'])).stdout;
  for (const [code, { cause, next }] of Object.entries(catalogue)) {
    const { stdout } = await run(['docs', code.toLowerCase()]);
    expect(stdout).toContain(cause);
    expect(stdout).toContain(next);
    expect(all).toContain(stdout.trimEnd());
  }
});

test.each([
  ['HM-PORT-TAKN', 'Did you mean HM-PORT-TAKEN?'],
  ['eror', 'Did you mean errors?'],
  ['weather', 'hivemind docs'],
])('docs %s is a usage error', async (topic, hint) => {
  const { code, stderr } = await run(['docs', topic]);
  expect(code).toBe(2);
  expect(stderr).toContain(hint);
});

const hasMandoc = spawnSync('which', ['mandoc']).status === 0;

test.skipIf(!hasMandoc)('the manual page is one (mandoc)', async () => {
  const { stdout } = await run(['docs', 'man']);
  const lint = spawnSync('mandoc', ['-T', 'lint', '-W', 'error'], { input: stdout, encoding: 'utf8' });
  expect(lint.stdout).toBe('');
  const page = execFileSync('mandoc', ['-T', 'utf8'], { input: stdout, encoding: 'utf8' });
  // Overstrikes are how it prints bold.
  const plain = page.replaceAll(/.\u0008/g, '');
  for (const command of ['hivemind deploy', 'hivemind image import', 'hivemind context use']) {
    expect(plain).toContain(command);
  }
});
