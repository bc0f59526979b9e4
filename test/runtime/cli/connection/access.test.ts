/** Who may not: exit code 4 with the next step, and an event that outlives it. Against the API of a real node. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { apiRig, app, json, service, type ApiRig } from '../../api/rig.ts';
import { run, type Ran } from '../kit/run.ts';

let rig: ApiRig;
let tokenFile: string;
beforeAll(async () => {
  rig = await apiRig();
  await rig.deploy(app('shop', service('web')));
  const { json: made } = await rig.ask('POST', '/v1/tokens', json({ name: 'ci', scope: 'read' }));
  tokenFile = join(rig.directory, 'ci.token');
  await writeFile(tokenFile, (made as { token: string }).token, { mode: 0o600 });
});
afterAll(() => rig.end());

const hive = (...args: string[]): Promise<Ran> =>
  run([...args, '--address', rig.api.url.replace('http://', ''), '--token-file', tokenFile]);

interface Told {
  readonly type: string;
  readonly subject: string;
  readonly level: string;
  readonly message: string;
  readonly reason: { readonly code: string };
  readonly details: Readonly<Record<string, unknown>>;
}
const refusals = async (): Promise<readonly Told[]> =>
  ((await rig.ask('GET', '/v1/events?topic=access')).json as { events: Told[] }).events;

test('a refused exec is exit code 4, and an audit record names who wanted what', async () => {
  expect((await hive('ps', '-o', 'name')).stdout).toBe('shop/web.1\n');
  const { code, stdout, stderr } = await run([
    'exec',
    '--address',
    rig.api.url.replace('http://', ''),
    '--token-file',
    tokenFile,
    'shop/web.1',
    '--',
    'greet',
  ]);
  expect([code, stdout]).toEqual([4, '']);
  expect(stderr).toContain('HM-API-SCOPE');
  expect(stderr).toContain('hivemind token create');
  expect(await refusals()).toMatchObject([
    {
      type: 'access.refused',
      subject: 'token ci',
      level: 'warning',
      message: expect.stringContaining('/v1/containers/shop%2Fweb.1/exec') as string,
      reason: { code: 'HM-API-SCOPE' },
      details: { by: 'token ci', scope: 'read', method: 'GET', times: 1 },
    },
  ]);
});

test('so is any other change; the same again at once is counted, not told', async () => {
  const before = (await refusals()).length;
  for (let i = 0; i < 3; i++) expect((await hive('rm', '-y', 'shop')).code).toBe(4);
  const told = (await refusals()).slice(before);
  expect(told).toMatchObject([{ details: { method: 'DELETE', path: '/v1/apps/shop', times: 1 } }]);
  expect((await hive('ps', '-o', 'name')).stdout).toBe('shop/web.1\n');
});
