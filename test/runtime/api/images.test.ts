/** Pulls through the API: lines of how far it has come, the last one says what became of it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ServiceSpec } from '../../../protocols/apps/model.ts';
import { appShow, imageDetails, pullView } from '../../../runtime/api/schemas/views.ts';
import { until } from '../../kit/until.ts';
import { apiRig, json, type ApiRig } from './rig.ts';

const unusedMs = 86_400_000;
let rig: ApiRig;
beforeAll(async () => {
  rig = await apiRig();
});
afterAll(() => rig.end());

async function pull(wish: object) {
  const { status, text } = await rig.ask('POST', '/v1/images/pull', json(wish));
  expect(status).toBe(200);
  return text
    .trim()
    .split('\n')
    .map((line) => pullView.parse(JSON.parse(line)));
}

test('a pull tells its steps, and the image is there', async () => {
  rig.images.publish('remote:1', { tookMs: 20 });
  const lines = await pull({ image: 'remote:1' });
  expect(lines.map(({ phase }) => phase)).toEqual([...Array.from({ length: 4 }, () => 'pulling'), 'done']);
  expect(lines.at(-1)?.digest).toBe(rig.images.find('remote:1')?.digest);
  expect((await pull({ image: 'remote:1', policy: 'missing' })).map(({ phase }) => phase)).toEqual(['done']);
});

test('a pull that fails says why in its last line', async () => {
  rig.images.publish('liar:1', { tookMs: 20, fails: 'HM-IMAGE-DIGEST' });
  expect((await pull({ image: 'liar:1' })).at(-1)).toMatchObject({
    phase: 'failed',
    reason: { code: 'HM-IMAGE-DIGEST' },
  });
  expect((await pull({ image: 'nowhere' })).at(-1)?.reason?.code).toBe('HM-IMAGE-MISSING');
});

test.each([
  [{ image: 'No Name' }, 422, 'HM-IMAGE-NAME'],
  [{ image: 'remote:1', policy: 'sometimes' }, 400, 'HM-API-REQUEST'],
  [{ image: 'remote:1', platform: 'here' }, 400, 'HM-API-REQUEST'],
  [{}, 400, 'HM-API-REQUEST'],
])('refuses %j', async (wish, status, code) => {
  const answer = await rig.ask('POST', '/v1/images/pull', json(wish));
  expect(answer).toMatchObject({ status, json: { code } });
});

test('prune removes what no kept revision wants, and tells it', async () => {
  const { json: spec } = await rig.ask('GET', '/v1/images');
  expect((spec as { images: { name: string }[] }).images.map(({ name }) => name)).toContain('spare:latest');
  await rig.deploy({
    name: 'keeps',
    services: { web: { ...service, name: 'web', image: 'hello-web' } },
    volumes: {},
  });
  const { status, json: answer } = await rig.ask('POST', '/v1/images/prune');
  expect(status).toBe(200);
  const gone = (answer as { images: { name: string }[] }).images.map(({ name }) => name);
  expect(gone).toContain('spare:latest');
  expect(gone).not.toContain('hello-web:latest');
  const events = rig.node.events.read({ limit: 100 }).filter(({ type }) => type === 'image.collected');
  expect(events.map(({ subject }) => subject).sort()).toEqual(gone.toSorted());
  expect(rig.images.find('hello-web')).toBeDefined();
});

const service: Omit<ServiceSpec, 'name' | 'image'> = {
  environment: {},
  ports: [],
  mounts: [],
  dependsOn: [],
  restart: { condition: 'always' },
  replicas: 1,
  networkMode: 'app',
  stopGraceMs: 1_000,
};

test('an image in full: who uses it, and when it goes where nothing does', async () => {
  rig.images.add('idle:1');
  const show = async (name: string) => (await rig.ask('GET', `/v1/images/${name}`)).json;
  expect(await show('hello-web')).toMatchObject({
    ...{ name: 'hello-web:latest', usedBy: ['keeps/web'], wanted: true },
    ...{ layers: [{ sizeBytes: 1_048_576 }], config: { command: ['run'] } },
  });
  expect(imageDetails.parse(await show('hello-web')).goesAt).toBeUndefined();
  const idle = imageDetails.parse(await show('idle:1'));
  expect(idle).toMatchObject({ usedBy: [], wanted: false });
  expect(idle.goesAt).toBeGreaterThanOrEqual(rig.node.clock.now() + unusedMs - 60_000);
  const { json: listed } = await rig.ask('GET', '/v1/images');
  expect((listed as { images: object[] }).images).toContainEqual(
    expect.objectContaining({ name: 'hello-web:latest', usedBy: ['keeps/web'], wanted: true }),
  );
  expect(await show('nowhere')).toMatchObject({ code: 'HM-IMAGE-UNKNOWN' });
  expect(await show('No%20Name')).toMatchObject({ code: 'HM-IMAGE-NAME' });
});

test('a deploy over what serves waits for its pull, which the deploy does not; a pull that fails is said', async () => {
  const wished = (image: string) =>
    json({ spec: { name: 'slow', services: { web: { ...service, name: 'web', image } }, volumes: {} } });
  const statusOf = async () => {
    const { json: shown } = await rig.ask('GET', '/v1/apps/slow');
    return appShow.parse(shown).view.slots[0]?.status;
  };
  await rig.deploy({
    name: 'slow',
    services: { web: { ...service, name: 'web', image: 'hello-web' } },
    volumes: {},
  });
  rig.images.publish('broken:1', { tookMs: 20, fails: 'HM-IMAGE-DIGEST' });
  expect((await rig.ask('PUT', '/v1/apps/slow', wished('broken:1'))).status).toBe(200);
  await until('the slot says why its next waits', async () => {
    const status = await statusOf();
    return status?.next?.reason?.code === 'HM-IMAGE-DIGEST' && status.readiness === 'ready';
  });
  // Only its slot ends this pull: the answer to the deploy cannot have waited for it.
  rig.images.publish('remote:2', { tookMs: 3_600_000 });
  const { status, json: answer } = await rig.ask('PUT', '/v1/apps/slow', wished('remote:2'));
  expect([status, answer]).toMatchObject([200, { revision: 3, changed: true }]);
  await until('its pull is told', async () => (await statusOf())?.next?.reason?.code === 'HM-IMAGE-PULLING');
  expect(await statusOf()).toMatchObject({
    ...{ image: 'hello-web', phase: 'running', readiness: 'ready', revision: 1 },
    next: { image: 'remote:2', revision: 3 },
  });
  const { json: why } = await rig.ask('GET', '/v1/containers/slow%2Fweb.1/why');
  expect(why).toMatchObject({ reasons: [{ code: 'HM-IMAGE-PULLING' }] });
  rig.images.add('remote:3');
  expect((await rig.ask('PUT', '/v1/apps/slow', wished('remote:3'))).status).toBe(200);
  await until('the newest runs', async () => (await statusOf())?.image === 'remote:3');
});
