/** What apps reserve, held against the machine at each door that could need more. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { apiRig, app, json, service, type ApiRig } from '../rig.ts';

let rig: ApiRig;
beforeAll(async () => {
  rig = await apiRig();
});
afterAll(() => rig.end());

/** Of the memory of this machine. */
const part = async (name: string, share: number, replicas = 1) => {
  const { memoryBytes } = await rig.node.machine();
  const reservations = { memoryBytes: Math.floor(memoryBytes * share) };
  return json({ spec: app(name, service('web', { replicas, resources: { reservations } })) });
};
const refused = { status: 409, json: { code: 'HM-NODE-CAPACITY' } };

test('more than there is: refused in plan and deploy, and nothing is deployed', async () => {
  expect(await rig.ask('POST', '/v1/apps/big/plan', await part('big', 1.1))).toMatchObject(refused);
  expect(await rig.ask('PUT', '/v1/apps/big', await part('big', 1.1))).toMatchObject(refused);
  expect(await rig.ask('PUT', '/v1/apps/big', await part('big', 0.4, 3))).toMatchObject(refused);
  expect((await rig.ask('GET', '/v1/apps/big')).status).toBe(404);
});

test('what others reserve counts, and an app replaces its own', async () => {
  expect(await rig.ask('PUT', '/v1/apps/one', await part('one', 0.6))).toMatchObject({ status: 200 });
  expect(await rig.ask('PUT', '/v1/apps/two', await part('two', 0.6))).toMatchObject(refused);
  expect(await rig.ask('PUT', '/v1/apps/one', await part('one', 0.7))).toMatchObject({ status: 200 });
  const scale = (replicas: number) =>
    rig.ask('POST', '/v1/apps/one/scale', json({ service: 'web', replicas }));
  expect(await scale(2)).toMatchObject(refused);
  expect(await scale(0)).toMatchObject({ status: 200 });
  expect(await rig.ask('PUT', '/v1/apps/two', await part('two', 0.6))).toMatchObject({ status: 200 });
  expect(await scale(1)).toMatchObject(refused);
});
