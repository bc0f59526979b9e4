/** Compose files on a real disk: what is read, what is refused before it is read, standard input. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LoadOptions } from '../../../protocols/apps/compose/files/load.ts';
import { limits } from '../../../protocols/limits.ts';
import { openCompose } from '../../../runtime/compose/open.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hivemind-open-'));
  await mkdir(join(directory, 'shop/deep/er'), { recursive: true });
  await mkdir(join(directory, 'shop/parts'));
  const files = {
    'shop/compose.yaml':
      'include: [parts/db.yaml]\nservices: { web: { image: "w:${TAG}", env_file: web.env, volumes: ["./www:/www"] } }',
    'shop/compose.override.yaml': 'services: { web: { ports: ["80:80"] } }',
    'shop/.env': 'TAG=7',
    'shop/web.env': 'MODE=x',
    'shop/parts/db.yaml': 'services: { db: { image: d, volumes: ["./data:/data"] } }',
    'big.yaml': 'x'.repeat(limits.composeFileBytes + 1),
    'bytes.yaml': Buffer.from([0xff, 0xfe, 0x80]),
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
});
afterAll(() => rm(directory, { recursive: true }));

const open = (options: Partial<LoadOptions>, stdin = ''): ReturnType<typeof openCompose> =>
  openCompose(
    { files: [], envFiles: [], profiles: [], services: [], directory, environment: {}, ...options },
    () => Promise.resolve(stdin),
  );

test('from a folder below: the app of several files, each path from its own', async () => {
  expect(await open({ directory: join(directory, 'shop/deep/er') })).toMatchObject({
    spec: {
      name: 'shop',
      services: {
        web: {
          image: 'w:7',
          environment: { MODE: 'x' },
          ports: [{ hostPort: 80 }],
          mounts: [{ source: join(directory, 'shop/www') }],
        },
        db: { mounts: [{ source: join(directory, 'shop/parts/data') }] },
      },
    },
  });
});

test('standard input alone, and under a file', async () => {
  const piped = 'services: { web: { image: p } }';
  expect(await open({ files: ['-'], name: 'n' }, piped)).toMatchObject({
    spec: { name: 'n', services: { web: { image: 'p:latest' } } },
  });
  expect(await open({ files: ['shop/compose.yaml', '-'] }, piped)).toMatchObject({
    spec: { name: 'shop', services: { web: { image: 'p:latest' }, db: {} } },
  });
});

test.each([
  [['nope.yaml'], 'HM-COMPOSE-FILE', 'nope.yaml does not exist'],
  [['big.yaml/x'], 'HM-COMPOSE-FILE', 'big.yaml/x does not exist'],
  [['shop'], 'HM-COMPOSE-FILE', 'shop is a directory'],
  [['/dev/zero'], 'HM-COMPOSE-FILE', '/dev/zero is not a file'],
  [['bytes.yaml'], 'HM-COMPOSE-FILE', 'bytes.yaml is not UTF-8 text'],
  [['big.yaml'], 'HM-COMPOSE-LIMIT', 'big.yaml is larger than 1048576 bytes'],
  [[], 'HM-COMPOSE-FILE', 'No compose.yaml in'],
])('%j is refused', async (files, code, text) => {
  expect(await open({ files })).toMatchObject({
    problems: [{ code, message: expect.stringContaining(text) }],
  });
});

test('too much on standard input is refused', async () => {
  expect(await open({ files: ['-'] }, 'x'.repeat(limits.composeFileBytes + 1))).toMatchObject({
    problems: [{ code: 'HM-COMPOSE-LIMIT', message: '<stdin> is larger than 1048576 bytes' }],
  });
});

test('a second document of a file is refused where it begins, never left out', async () => {
  const text = 'services: { web: { image: w } }\n---\nservices: { db: { image: d } }\n';
  expect(await open({ files: ['-'] }, text)).toMatchObject({
    problems: [
      {
        code: 'HM-COMPOSE-SYNTAX',
        message: '<stdin>:2: another YAML document (---) begins here',
        hint: expect.stringContaining('a file of its own') as string,
      },
    ],
  });
});
