/** Contexts: clusters by name, kept in a file of the person's own. */
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { NodeDouble } from '../kit/node-double.ts';
import { run, type Ran } from '../kit/run.ts';

let home: string;
const node = new NodeDouble();
const hive = (args: readonly string[], environment: Record<string, string> = {}): Promise<Ran> =>
  run(args, { environment: { XDG_CONFIG_HOME: home, ...environment }, directory: home });
const file = (): string => join(home, 'hivemind', 'contexts.json');

beforeAll(() => node.listen());
afterAll(() => node.close());
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'hivemind-contexts-'));
});
afterEach(() => rm(home, { recursive: true }));
node.on('GET /v1/apps', () => ({ apps: [] }));

test('set, use, ls, rm', async () => {
  expect((await hive(['context', 'ls'])).stderr).toContain('No context');
  expect(await hive(['context', 'set', 'home', node.socket])).toMatchObject({ code: 0 });
  expect(await hive(['context', 'set', 'prod', '127.0.0.1:9', '--token-file', 'prod.token'])).toMatchObject({
    code: 0,
  });
  expect(await hive(['context', 'use', 'home'])).toMatchObject({ code: 0 });
  expect((await hive(['context', 'ls', '--json'])).stdout).toBe(
    `${JSON.stringify(
      [
        { name: 'home', address: node.socket, current: true },
        { name: 'prod', address: '127.0.0.1:9', tokenFile: join(home, 'prod.token'), current: false },
      ],
      null,
      2,
    )}\n`,
  );
  expect((await stat(file())).mode & 0o777).toBe(0o600);
  expect(await hive(['context', 'rm', 'home'])).toMatchObject({ code: 0 });
  expect((await hive(['context', 'ls', '-o', 'name'])).stdout).toBe('prod\n');
});

test('nobody at a context: what is next is how its node is started, or another context', async () => {
  const nobody = join(home, 'nobody.sock');
  await hive(['context', 'set', 'home', nobody]);
  expect((await hive(['ls', '--context', 'home'])).stderr).toContain('hivemind context ls');
  const contexts = { home: { address: nobody, start: 'npm run cluster -- start n1' } };
  await writeFile(file(), JSON.stringify({ contexts }));
  expect((await hive(['--context', 'home', 'ls'])).stderr).toContain('next  npm run cluster -- start n1');
  // Neither a node here nor a context in use.
  expect((await hive(['ls'])).stderr).toContain('--context home');
});

test('which place is asked: a flag before a variable before the context in use', async () => {
  await hive(['context', 'set', 'home', node.socket]);
  await hive(['context', 'set', 'away', join(home, 'nobody.sock')]);
  await hive(['context', 'use', 'away']);
  const reaches = async (args: readonly string[], environment: Record<string, string> = {}) =>
    (await hive(['ls', ...args], environment)).code === 0;
  expect(await reaches([])).toBe(false);
  expect(await reaches([], { HIVEMIND_CONTEXT: 'home' })).toBe(true);
  expect(await reaches(['--context', 'home'])).toBe(true);
  expect(await reaches(['--context', 'away'], { HIVEMIND_ADDRESS: node.socket })).toBe(false);
  expect(await reaches(['--address', node.socket, '--context', 'away'])).toBe(true);
  expect(await reaches([], { HIVEMIND_ADDRESS: node.socket, HIVEMIND_CONTEXT: 'away' })).toBe(true);
  await hive(['context', 'use', 'home']);
  expect(await reaches([])).toBe(true);
  await hive(['context', 'use']);
  expect(JSON.parse(await readFile(file(), 'utf8'))).not.toHaveProperty('current');
});

test.each([
  [['context', 'use', 'nope'], 3, 'HM-CLI-CONTEXT', 'hivemind context ls'],
  [['context', 'rm', 'nope'], 3, 'HM-CLI-CONTEXT', 'hivemind context ls'],
  [['ls', '--context', 'nope'], 3, 'HM-CLI-CONTEXT', 'hivemind context ls'],
  [['context', 'set', 'a b', '/x.sock'], 2, 'HM-CLI-USAGE', 'Letters, digits'],
  [['context', 'set', 'a', 'no place'], 2, 'HM-CLI-USAGE', 'As in 127.0.0.1:4483'],
])('%j is refused', async (args, code, errorCode, hint) => {
  const ran = await hive(args);
  expect(ran.code).toBe(code);
  expect(ran.stderr).toContain(errorCode);
  expect(ran.stderr).toContain(hint);
});

test.each(['{', '[]', '{"contexts":{"a":{"address":1}}}', '{"current":"a"}'])(
  'a file that holds %s is named and left as it is',
  async (text) => {
    await mkdir(dirname(file()), { recursive: true });
    await writeFile(file(), text);
    const ran = await hive(['context', 'set', 'home', node.socket]);
    expect(ran.code).toBe(3);
    expect(ran.stderr).toContain(`Mend or remove ${file()}`);
    expect(await readFile(file(), 'utf8')).toBe(text);
  },
);

test('a near name is proposed', async () => {
  await hive(['context', 'set', 'production', node.socket]);
  expect((await hive(['context', 'use', 'prodution'])).stderr).toContain('Did you mean production?');
});
