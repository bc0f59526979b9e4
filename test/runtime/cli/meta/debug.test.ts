/** A debug bundle: what is in it, what never is, and that it is written also when the node is silent. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AppSpec } from '../../../../protocols/apps/model.ts';
import { Blackout, maskedSpec } from '../../../../runtime/cli/debug/masked.ts';
import { Lines, NodeDouble } from '../kit/node-double.ts';
import { run } from '../kit/run.ts';

let node: NodeDouble;
let directory: string;
beforeAll(async () => {
  node = new NodeDouble();
  await node.listen();
  directory = await mkdtemp(join(tmpdir(), 'hm-debug-'));
});
afterAll(async () => {
  await node.close();
  await rm(directory, { recursive: true });
});

const spec = {
  name: 'shop',
  volumes: {},
  secrets: { pw: { name: 'pw', content: 'cGxhbnRlZA==' } },
  services: {
    web: {
      name: 'web',
      image: 'web:1',
      environment: { LEVEL: 'info', GREETING: 'planted "words" of nobody' },
      command: ['serve', '--password=planted-too'],
      replicas: 2,
    },
  },
} as unknown as AppSpec;

test('of a spec: names and shapes, no value of an environment, no content, nothing that looks like a secret', () => {
  expect(maskedSpec(spec)).toMatchObject({
    secrets: { pw: { name: 'pw' } },
    services: {
      web: {
        image: 'web:1',
        environment: { LEVEL: '[masked]', GREETING: '[masked]' },
        command: ['[masked]'],
        replicas: 2,
      },
    },
  });
  const blackout = new Blackout();
  blackout.learn(spec);
  const told = blackout.over(JSON.stringify({ at: 'info', spec }));
  expect(told).not.toContain('planted');
  expect(told).toContain('"at":"info"');
});

test('what the node says and what the machine is, in one file that is not written over', async () => {
  const names = [
    'version',
    'doctor',
    'nodes',
    'containers',
    'images',
    'networks',
    'volumes',
    'events',
    'actors',
  ];
  for (const name of names) node.on(`GET /v1/${name}`, () => ({ told: name }));
  node.on('GET /v1/apps', () => ({ apps: [{ name: 'shop' }] }));
  node.on('GET /v1/apps/shop', () => ({ view: {}, spec, record: { name: 'shop' } }));
  node.on(
    'GET /v1/actors/transcript',
    () => new Lines([{ text: 'app.deploy planted \\"words\\" of nobody' }]),
  );
  node.on('GET /metrics', () => ({}));
  const asked = { socket: node.socket, directory };
  const flags = ['--file', 'one.tar.gz', '--', '--data-dir', directory];
  const { code, stdout, stderr } = await run(['debug', 'bundle', ...flags], asked);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain(join(directory, 'one.tar.gz'));
  const bytes = gunzipSync(await readFile(join(directory, 'one.tar.gz'))).toString();
  for (const part of [
    ...names.map((name) => `${name}.json`),
    'apps/shop.json',
    'settings.json',
    'kernel.txt',
  ])
    expect(bytes).toContain(`hivemind-debug/${part}`);
  expect(bytes).not.toContain('planted');
  const again = await run(['debug', 'bundle', ...flags], asked);
  expect(again).toMatchObject({ code: 3, stderr: expect.stringContaining('HM-FILE-MISSING') });
  expect(again.stderr).toContain('hivemind debug bundle --file FILE');
});

test('of a node that does not answer: the machine, and that the rest is missing', async () => {
  const flags = ['--file', 'two.tar.gz', '--json', '--', '--data-dir', directory];
  const asked = { socket: join(directory, 'none.sock'), directory };
  const { code, stdout, stderr } = await run(['debug', 'bundle', ...flags], asked);
  expect(code).toBe(9);
  expect(stderr).toContain('everything that the node says: HM-API-UNREACHABLE');
  expect(JSON.parse(stdout)).toMatchObject({
    parts: ['settings.json', 'store-and-journal.txt', 'kernel.txt', 'programs.txt'],
  });
});
