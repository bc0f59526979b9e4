/** pause, unpause, top and cp of the tool, against the API of a real node. */
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../kit/until.ts';
import { apiRig, app, service, type ApiRig } from '../api/rig.ts';
import { run } from './kit/run.ts';

let rig: ApiRig;
let dir: string;
beforeAll(async () => {
  rig = await apiRig();
  dir = await mkdtemp(join(tmpdir(), 'hm-cli-'));
  await rig.deploy(app('shop', service('web', { replicas: 2 })));
});
afterAll(async () => {
  await rig.end();
  await rm(dir, { recursive: true });
});

const hivemind = (...args: string[]) => run(args, { socket: rig.api.socketPath, directory: dir });

test('a service is paused, which ps and why tell, and goes on', async () => {
  expect(await hivemind('pause', 'shop/web')).toMatchObject({
    code: 0,
    stdout: 'shop/web.1 is paused\nshop/web.2 is paused\n',
  });
  await until('ps tells', async () => /shop\/web\.1 +paused/.test((await hivemind('ps')).stdout));
  expect((await hivemind('why', 'shop/web.1')).stdout).toContain('hivemind unpause');
  expect(await hivemind('unpause', 'shop')).toMatchObject({ code: 0 });
  await until('it goes on', async () => !(await hivemind('ps')).stdout.includes('paused'));
  expect((await hivemind('pause', 'shop/none')).code).toBe(3);
});

test('top tells what containers use, and of one its processes', async () => {
  const all = await hivemind('top');
  expect(all.stdout).toMatch(/^NAME +CPU +MEMORY +LIMIT +PIDS +DISK\nshop\/web\.1 .*\nshop\/web\.2 /);
  const one = await hivemind('top', 'shop/web.2', '--json');
  expect(JSON.parse(one.stdout)).toMatchObject([{ command: 'script', state: 'S' }]);
});

test('a file goes in and comes out with its mode, and as a tar', async () => {
  await writeFile(join(dir, 'note'), 'words');
  await chmod(join(dir, 'note'), 0o640);
  expect(await hivemind('cp', 'note', 'shop/web.1:/tmp')).toMatchObject({ code: 0 });
  expect(await hivemind('cp', 'shop/web.1:/tmp/note', './back')).toMatchObject({ code: 0 });
  expect(await readFile(join(dir, 'back'), 'utf8')).toBe('words');
  expect((await stat(join(dir, 'back'))).mode & 0o777).toBe(0o640);
  const { stdout, code } = await hivemind('cp', 'shop/web.1:/tmp/note', '-');
  expect([code, stdout.slice(0, 4), stdout.length % 512]).toEqual([0, 'note', 0]);
});

test.each([
  [['cp', 'a', 'b'], 2],
  [['cp', 'shop/web.1:/a', 'shop/web.2:/b'], 2],
  [['cp', 'shop/web.1:/nothing', '.'], 3],
  [['cp', './nothing', 'shop/web.1:/tmp'], 3],
  [['cp', 'shop/none:/a', '.'], 3],
])('%j is refused with %i', async (args, code) => {
  expect((await hivemind(...args)).code).toBe(code);
});
