/** Plan, deploy of a plan, revisions, rollback: against a real node, whose world moves between them. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Plan } from '../../../protocols/apps/plan/plan.ts';
import { apiRig, app, json, service, type Answer, type ApiRig } from './rig.ts';

let rig: ApiRig;
beforeAll(async () => {
  rig = await apiRig();
  await rig.deploy(app('shop', service('web', { environment: { A: '1', PASSWORD: 'planted-secret' } })));
});
afterAll(() => rig.end());

const changed = (tag: string) =>
  app('shop', service('web', { environment: { A: tag, PASSWORD: `planted-secret-${tag}` } }));
const plan = async (tag: string): Promise<Plan> =>
  (await rig.ask('POST', '/v1/apps/shop/plan', json({ spec: changed(tag) }))).json as Plan;
const deploy = (tag: string, id: string): Promise<Answer> =>
  rig.ask('PUT', '/v1/apps/shop', json({ spec: changed(tag), plan: id }));
const revision = async (): Promise<number> =>
  ((await rig.ask('GET', '/v1/apps/shop')).json as { record: { revision: number } }).record.revision;

test('a plan changes nothing, shows no secret, and is deployed as it was shown', async () => {
  const answer = await rig.ask('POST', '/v1/apps/shop/plan', json({ spec: changed('2') }));
  expect(answer.text).not.toContain('planted');
  const { id, services } = answer.json as Plan;
  expect(services[0]!.fields).toEqual([
    { path: 'environment.A', kind: 'changed', before: '"1"', after: '"2"', effect: 'replaces' },
    { path: 'environment.PASSWORD', kind: 'changed', hidden: true, effect: 'replaces' },
  ]);
  expect(await revision()).toBe(1);
  expect(await deploy('2', id)).toMatchObject({ status: 200, json: { revision: 2, changed: true } });
});

test('a plan of a world that has moved is refused with 409, and nothing is deployed', async () => {
  const { id } = await plan('3');
  await rig.ask('POST', '/v1/apps/shop/scale', json({ service: 'web', replicas: 2 }));
  expect(await deploy('3', id)).toMatchObject({ status: 409, json: { code: 'HM-PLAN-STALE' } });
  const { id: fresh } = await plan('3');
  expect(await deploy('4', fresh)).toMatchObject({
    status: 409,
    json: { code: 'HM-PLAN-STALE', detail: `The files have changed since the plan ${fresh}` },
  });
  expect(await revision()).toBe(2);
  expect(await deploy('3', 'not-a-plan')).toMatchObject({ status: 400 });
});

test('revisions are listed, and rollback makes an earlier one the newest', async () => {
  expect(await rig.ask('POST', '/v1/apps/shop/rollback', json({ revision: 1 }))).toMatchObject({
    status: 200,
    json: { revision: 3, changed: true, restored: 1 },
  });
  const { json: shown } = await rig.ask('GET', '/v1/apps/shop');
  expect(shown).toMatchObject({ spec: { services: { web: { environment: { A: '1' } } } } });
  const { json: listed } = await rig.ask('GET', '/v1/apps/shop/revisions');
  expect((listed as { revisions: { revision: number; current: boolean }[] }).revisions).toMatchObject([
    { revision: 1, current: false },
    { revision: 2, current: false },
    { revision: 3, current: true },
  ]);
  expect(await rig.ask('POST', '/v1/apps/shop/rollback', json({}))).toMatchObject({
    json: { revision: 4, restored: 2 },
  });
  expect(await rig.ask('POST', '/v1/apps/shop/rollback', json({ revision: 99 }))).toMatchObject({
    status: 404,
    json: { code: 'HM-REVISION-UNKNOWN' },
  });
  expect(await rig.ask('GET', '/v1/apps/nope/revisions')).toMatchObject({ status: 404 });
});
