/** The npm package, unpacked beside a program of somebody else: its client runs and its types hold, its tool is whole. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { apiRig, app, service, type ApiRig } from '../api/rig.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../../..');
let rig: ApiRig;
let dir: string;

beforeAll(async () => {
  rig = await apiRig();
  await rig.deploy(app('shop', service('web')));
  await run(process.execPath, ['runtime/setup/build.mjs'], { cwd: root });
  dir = await mkdtemp(join(tmpdir(), 'hivemind-client-'));
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', dir], {
    cwd: root,
  });
  const file = /"filename": "([^"]+)"/.exec(stdout)![1]!;
  const home = join(dir, 'node_modules', 'hivemind');
  await mkdir(home, { recursive: true });
  await run('tar', ['-xzf', join(dir, file), '-C', home, '--strip-components=1']);
  await writeFile(join(dir, 'package.json'), JSON.stringify({ type: 'module' }));
}, 120_000);

afterAll(async () => {
  await rig.end();
  await rm(dir, { recursive: true });
});

const program = `
import { connect, HivemindError } from 'hivemind/client';
const client = connect({ address: process.argv[2], token: process.argv[3] });
const apps = await client.request('GET /v1/apps', { query: { limit: 10 } });
const shop = await client.request('GET /v1/apps/{name}', { params: { name: 'shop' } });
const same = await client.request('GET /v1/apps/{name}', { params: { name: 'shop' }, ifNoneMatch: shop.etag });
await client.request('POST /v1/apps/{name}/scale', {
  params: { name: 'shop' }, body: { service: 'web', replicas: 2 }, ifMatch: shop.etag,
});
const refusal = await client.request('GET /v1/apps/{name}', { params: { name: 'nobody' } }).catch((error) => error);
const rows = [];
for await (const line of client.lines('GET /v1/apps', { query: { watch: true } })) {
  rows.push(line.type);
  if (line.type === 'synced') break;
}
client.close();
console.log(JSON.stringify({
  names: apps.value.apps.map(({ name }) => name), spec: shop.value.spec.name, same: [same.status, same.value],
  refusal: [refusal instanceof HivemindError, refusal.problem.code], rows,
}));
`;

test.each(['socket', 'tcp'])('asks, changes, is refused and watches, over %s', async (door) => {
  await writeFile(join(dir, 'program.js'), program);
  const place = door === 'socket' ? [rig.api.socketPath] : [rig.api.url, rig.token];
  const { stdout } = await run(process.execPath, ['program.js', ...place], { cwd: dir });
  expect(JSON.parse(stdout)).toEqual({
    names: ['shop'],
    spec: 'shop',
    same: [304, null],
    refusal: [true, 'HM-APP-UNKNOWN'],
    rows: ['row', 'synced'],
  });
});

const typed = `
import { connect, type Schemas } from 'hivemind/client';
const client = connect({ address: '/run/x.sock' });
const { value } = await client.request('GET /v1/containers');
export const slots: readonly Schemas['SlotStatus'][] = value!.slots;
await client.request('POST /v1/apps/{name}/scale', { params: { name: 'a' }, body: { service: 'web', replicas: 2 } });
for await (const line of client.lines('GET /v1/events/stream')) void line;
// @ts-expect-error there is no such route
await client.request('GET /v1/nothing');
// @ts-expect-error the name is missing
await client.request('GET /v1/apps/{name}');
// @ts-expect-error replicas is a number
await client.request('POST /v1/apps/{name}/scale', { params: { name: 'a' }, body: { service: 'web', replicas: '2' } });
// @ts-expect-error an app answers no lines
client.lines('GET /v1/apps/{name}', { params: { name: 'a' } });
`;

test('its types know every route, and refuse what the API would', async () => {
  await writeFile(join(dir, 'typed.ts'), typed);
  const compilerOptions = {
    target: 'es2023',
    module: 'nodenext',
    strict: true,
    noEmit: true,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
  };
  await writeFile(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['typed.ts'] }));
  const { stdout } = await run(join(root, 'node_modules/.bin/tsc'), ['-p', dir]).catch(
    (thrown: { stdout: string }) => thrown,
  );
  expect(stdout).toBe('');
});

test('its tool has every part it may load, and nothing besides', async () => {
  const dist = join(dir, 'node_modules/hivemind/dist');
  const read = new Set<string>();
  const follow = async (file: string): Promise<void> => {
    if (read.has(file)) return;
    read.add(file);
    const text = await readFile(file, 'utf8');
    for (const [, to] of text.matchAll(/(?:from|import) ?\(?"(\.{1,2}\/[^"]+)"/g))
      await follow(join(dirname(file), to!));
  };
  await follow(join(dist, 'hivemind.js'));
  const parts = (await readdir(join(dist, 'hivemind'))).map((name) => join(dist, 'hivemind', name));
  expect([...read].toSorted()).toEqual([join(dist, 'hivemind.js'), ...parts].toSorted());
});

test('its daemon has the programs beside it: that of the membership thread, and that of certificates', async () => {
  const dist = join(dir, 'node_modules/hivemind/dist');
  const text = await readFile(join(dist, 'hivemind-node.js'), 'utf8');
  const beside = [...text.matchAll(/(?:new URL|import)\("(?:\.\/)?(hivemind-[a-z0-9]+\.js)"/g)].map(
    ([, name]) => name!,
  );
  expect(beside.toSorted()).toEqual(['hivemind-membership.js', 'hivemind-x509.js']);
  const there = await readdir(dist);
  expect(beside.filter((name) => !there.includes(name))).toEqual([]);
});

test('its tool runs: what it reads at once, and what it loads later', async () => {
  const tool = async (...args: string[]): Promise<string> =>
    (await run(process.execPath, ['node_modules/hivemind/dist/hivemind.js', ...args], { cwd: dir })).stdout;
  await writeFile(join(dir, 'compose.yaml'), 'services:\n  web:\n    image: hello-web\n');
  const where = ['--address', `unix://${rig.api.socketPath}`];
  expect(await tool('ps', '-o', 'name', ...where)).toContain('shop/web.1');
  expect(JSON.parse(await tool('plan', '-p', 'shop', '--json', ...where))).toMatchObject({ app: 'shop' });
});
