/** Volumes by the API: what an app mounts is never removed. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { problemView } from '../../../../runtime/api/schemas/views.ts';
import { apiRig, app, json, service, type ApiRig } from '../rig.ts';

let rig: ApiRig;

beforeAll(async () => {
  rig = await apiRig();
  const mounts = [{ type: 'volume', volume: 'data', target: '/data', readOnly: false }] as const;
  await rig.deploy({ ...app('shop', service('db', { mounts })), volumes: { data: { name: 'data' } } });
});
afterAll(() => rig.end());

const codeOf = ({ json: answer }: { json: unknown }) => problemView.parse(answer).code;

test('made, listed with who mounts them, removed when nobody does', async () => {
  expect((await rig.ask('POST', '/v1/volumes', json({ app: 'shop', volume: 'spare' }))).json).toMatchObject({
    name: 'shop/spare',
    usedBy: [],
  });
  const names = async () =>
    (
      (await rig.ask('GET', '/v1/volumes')).json as { volumes: { name: string; usedBy: string[] }[] }
    ).volumes.map(({ name, usedBy }) => [name, ...usedBy]);
  expect(await names()).toEqual([['shop/data', 'shop/db'], ['shop/spare']]);
  const used = await rig.ask('DELETE', '/v1/volumes/shop/data');
  expect([used.status, codeOf(used)]).toEqual([409, 'HM-VOLUME-USED']);
  expect((await rig.ask('DELETE', '/v1/volumes/shop/spare')).status).toBe(200);
  expect(codeOf(await rig.ask('DELETE', '/v1/volumes/shop/spare'))).toBe('HM-VOLUME-MISSING');
  expect(await names()).toEqual([['shop/data', 'shop/db']]);
});

test.each(['../x', 'a/b', 'Ä', ''])('a name like "%s" is refused', async (volume) => {
  expect(codeOf(await rig.ask('POST', '/v1/volumes', json({ app: 'shop', volume })))).toBe('HM-API-REQUEST');
});
