/** What could be a secret in a specification: in no answer, stream, actor or event, unless an admin asks for it outright. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AppSpec } from '../../../../protocols/apps/model.ts';
import { problemView, appShow } from '../../../../runtime/api/schemas/views.ts';
import { apiRig, app, json, service, type ApiRig } from '../rig.ts';

let rig: ApiRig;
const planted = 'PLANTED-c0ffee';
const probe = { initialDelayMs: 0, intervalMs: 60_000, timeoutMs: 1_000, successes: 1, failures: 3 };
const spec: AppSpec = {
  ...app(
    'shop',
    service('web', {
      environment: { LEVEL: 'info', DB_PASSWORD: planted, DB: `postgres://u:${planted}@db/shop` },
      command: ['serve', '--password', planted],
      entrypoint: ['/entry', '--verbose'],
      labels: { 'com.example.token': planted, tier: 'front' },
      hooks: {
        preStop: [{ command: ['sh', '-c', `bye --token=${planted}`], environment: { KEY: planted } }],
      },
      probes: {
        liveness: {
          ...probe,
          action: {
            type: 'http',
            port: 80,
            scheme: 'http',
            path: `/up?token=${planted}`,
            headers: { Authorization: `Basic ${planted}` },
          },
        },
      },
    }),
  ),
  volumes: { data: { name: 'data', driverOptions: { o: `addr=nas,password=${planted}` } } },
};

beforeAll(async () => {
  rig = await apiRig();
  const { status, text } = await rig.ask('PUT', '/v1/apps/shop', json({ spec }));
  expect([status, text]).toEqual([200, expect.any(String)]);
});
afterAll(() => rig.end());

const shownSpec = async () => appShow.parse((await rig.ask('GET', '/v1/apps/shop')).json).spec;

test('an app is shown with what it hides in its place, in the form that a specification has', async () => {
  const { services, volumes } = await shownSpec();
  expect(services['web']).toMatchObject({
    environment: { LEVEL: 'info', DB_PASSWORD: '[masked]', DB: '[masked]' },
    command: ['[masked]'],
    entrypoint: ['/entry', '--verbose'],
    labels: { 'com.example.token': '[masked]', tier: 'front' },
    hooks: { preStop: [{ command: ['[masked]'], environment: { KEY: '[masked]' } }] },
    probes: { liveness: { action: { path: '/[masked]', headers: { Authorization: '[masked]' } } } },
  });
  expect(volumes['data']!.driverOptions).toEqual({ o: '[masked]' });
});

test('no other door tells it either', async () => {
  const { json: tree } = await rig.ask('GET', '/v1/actors');
  const { actors } = tree as { actors: { path: string }[] };
  const paths = [
    ...actors.map(({ path }) => `/v1/actors/show?path=${encodeURIComponent(path)}`),
    ...['apps', 'containers', 'services', 'deployments', 'networks', 'volumes', 'events?limit=1000'].map(
      (name) => `/v1/${name}`,
    ),
    '/v1/apps/shop/revisions',
    '/v1/containers/shop%2Fweb.1',
    '/v1/containers/shop%2Fweb.1/why',
    '/v1/actors/transcript?limit=1000',
    '/metrics',
  ];
  for (const path of paths) {
    const { status, text } = await rig.ask('GET', path);
    expect([path, status]).toEqual([path, 200]);
    expect([path, text.includes(planted)]).toEqual([path, false]);
  }
  const context = await rig.ask('GET', '/v1/actors/show?path=/leader/apps');
  expect(context.text).toContain('"DB_PASSWORD":"[masked]"');
});

test('the container has the true ones, also after a rollback', async () => {
  await rig.deploy({ ...spec, services: { web: { ...spec.services['web']!, command: ['other'] } } });
  expect((await rig.ask('POST', '/v1/apps/shop/rollback', json({}))).status).toBe(200);
  const { json: answer } = await rig.ask('GET', '/v1/apps/shop?reveal=true');
  expect(appShow.parse(answer).spec).toEqual(spec);
});

test('who asks outright is told when an admin, and an event names them', async () => {
  const token = async (name: string, scope: string) =>
    ((await rig.ask('POST', '/v1/tokens', json({ name, scope }))).json as { token: string }).token;
  const reveal = async (bearer: string) =>
    rig.askTcp('GET', '/v1/apps/shop?reveal=true', { headers: { authorization: `Bearer ${bearer}` } });
  const refused = await reveal(await token('w', 'write'));
  expect([refused.status, problemView.parse(refused.json).code]).toEqual([403, 'HM-API-SCOPE']);
  expect(refused.text).not.toContain(planted);
  const told = await reveal(await token('a', 'admin'));
  expect(told.text).toContain(planted);
  const { json: page } = await rig.ask('GET', '/v1/events?topic=app&limit=1');
  expect(page).toMatchObject({
    events: [{ type: 'app.revealed', subject: 'shop', details: { by: 'token a' } }],
  });
});

test('the tag of an app is that of what is shown, and stays with a change', async () => {
  const { headers } = await rig.ask('GET', '/v1/apps/shop');
  const again = await rig.ask('PUT', '/v1/apps/shop', {
    ...json({ spec }),
    headers: { 'content-type': 'application/json', 'if-match': headers.etag! },
  });
  expect(again.status).toBe(200);
  expect(again.headers.etag!.split('.')[0]).toBe(headers.etag!.split('.')[0]);
});

test('what was hidden is not deployed in the place of the true value', async () => {
  const masked = await shownSpec();
  for (const [method, path] of [
    ['PUT', '/v1/apps/shop'],
    ['POST', '/v1/apps/shop/plan'],
  ] as const) {
    const { status, json: answer } = await rig.ask(method, path, json({ spec: masked }));
    expect([status, problemView.parse(answer)]).toEqual([
      400,
      expect.objectContaining({
        code: 'HM-API-REQUEST',
        detail: expect.stringContaining('services.web.') as string,
        hint: expect.stringContaining('reveal=true') as string,
      }),
    ]);
  }
});
