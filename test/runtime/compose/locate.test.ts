/** Which file is read when none is named, and what is said when there is none to read. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { limits } from '../../../protocols/limits.ts';
import { locateCompose } from '../../../runtime/compose/locate.ts';

let directory = '';
const none = (): Promise<string> => Promise.resolve('');

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hivemind-locate-'));
  await mkdir(join(directory, 'shop/deep/er'), { recursive: true });
  await writeFile(join(directory, 'shop/docker-compose.yml'), 'last');
  await writeFile(join(directory, 'shop/compose.yaml'), 'first');
  await writeFile(join(directory, 'big.yaml'), 'x'.repeat(limits.composeFileBytes + 1));
  await writeFile(join(directory, 'bytes.yaml'), Buffer.from([0xff, 0xfe, 0x80]));
});
afterAll(() => rm(directory, { recursive: true }));

test('the nearest default name, upwards, compose.yaml first', async () => {
  for (const from of ['shop', 'shop/deep/er']) {
    expect(await locateCompose(undefined, join(directory, from), none)).toEqual({
      file: 'compose.yaml',
      text: 'first',
      path: join(directory, 'shop/compose.yaml'),
      projectDirectory: join(directory, 'shop'),
    });
  }
});

test('a named file, its folder is the project; - is standard input', async () => {
  const named = await locateCompose('shop/docker-compose.yml', directory, none);
  expect(named).toMatchObject({
    file: 'shop/docker-compose.yml',
    text: 'last',
    projectDirectory: join(directory, 'shop'),
  });
  const piped = await locateCompose('-', directory, () => Promise.resolve('piped'));
  expect(piped).toMatchObject({ file: '<stdin>', text: 'piped', projectDirectory: directory });
});

test.each([
  [undefined, 'HM-COMPOSE-FILE', 'No compose.yaml in'],
  ['nope.yaml', 'HM-COMPOSE-FILE', 'does not exist'],
  ['shop', 'HM-COMPOSE-FILE', 'is a directory'],
  ['bytes.yaml', 'HM-COMPOSE-FILE', 'not valid for encoding utf-8'],
  ['big.yaml', 'HM-COMPOSE-LIMIT', 'is larger than'],
])('%s is refused', async (given, code, text) => {
  await expect(locateCompose(given, directory, none)).rejects.toMatchObject({
    reason: { code, message: expect.stringContaining(text) },
  });
});
