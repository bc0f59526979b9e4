/** What a running container uses, its processes, and standing still: asked through the API of a real node. */
import { pack } from 'tar-stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SlotStatus } from '../../../protocols/apps/status.ts';
import { routes } from '../../../runtime/api/app.ts';
import { until } from '../../kit/until.ts';
import { apiRig, app, service, type ApiRig } from './rig.ts';

let rig: ApiRig;
beforeAll(async () => {
  rig = await apiRig();
  await rig.deploy(app('shop', service('web', { replicas: 2 })));
});
afterAll(() => rig.end());

const at = (path: string) => `/v1/containers/shop%2Fweb.1/${path}`;
const schemaOf = (name: string) => routes.find(({ method, path }) => `${method} ${path}` === name)!.answer;

async function web(): Promise<SlotStatus> {
  const { json } = await rig.ask('GET', '/v1/containers');
  return (json as { slots: SlotStatus[] }).slots.find(({ slot }) => slot === 'shop/web.1')!;
}

test('use is told for all and for one, processes for one, as their schemas say', async () => {
  const all = await rig.ask('GET', '/v1/stats');
  expect(schemaOf('get /v1/stats').safeParse(all.json).success).toBe(true);
  expect((all.json as { stats: { slot: string }[] }).stats.map(({ slot }) => slot)).toEqual([
    'shop/web.1',
    'shop/web.2',
  ]);
  const one = await rig.ask('GET', at('stats'));
  expect(schemaOf('get /v1/containers/{slot}/stats').safeParse(one.json).success).toBe(true);
  const inside = await rig.ask('GET', at('processes'));
  expect(schemaOf('get /v1/containers/{slot}/processes').safeParse(inside.json).success).toBe(true);
});

test('a pause shows, with its reason, until it is over', async () => {
  expect((await rig.ask('POST', at('pause'))).status).toBe(200);
  const paused = await until('it is paused', async () => ((await web()).paused ? web() : undefined));
  expect(paused).toMatchObject({
    phase: 'running',
    readiness: 'unready',
    reason: { code: 'HM-CONTAINER-PAUSED' },
  });
  const why = await rig.ask('GET', at('why'));
  expect(why.text).toContain('hivemind unpause');
  expect((await rig.ask('POST', at('unpause'))).status).toBe(200);
  const back = await until('it goes on', async () => ((await web()).paused ? undefined : web()));
  expect(back).toMatchObject({ phase: 'running', readiness: 'ready', restarts: 0 });
  expect(back.containerId).toBe(paused.containerId);
});

test.each(['GET stats', 'GET processes', 'POST pause', 'POST unpause'])(
  '%s of a slot that is not there is refused',
  async (asked) => {
    const [method, path] = asked.split(' ') as [string, string];
    const { status, json } = await rig.ask(method, `/v1/containers/shop%2Fnone.1/${path}`);
    expect(status).toBe(404);
    expect(json).toMatchObject({ code: 'HM-TARGET-UNKNOWN' });
  },
);

test('files go in and come out as a tar', async () => {
  const tar = pack();
  tar.entry({ name: 'note', mode: 0o640 }, 'words');
  tar.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of tar as AsyncIterable<Uint8Array>) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const put = await rig.ask('PUT', at('files?path=/tmp'), {
    body,
    headers: { 'content-type': 'application/x-tar' },
  });
  expect([put.status, put.json]).toEqual([200, { entries: 1 }]);
  const out = await rig.ask('GET', at('files?path=/tmp/note'));
  expect(out.headers['content-type']).toBe('application/x-tar');
  expect(out.text).toBe(body.toString('utf8'));
  expect(await rig.ask('GET', at('files?path=/none'))).toMatchObject({
    status: 404,
    json: { code: 'HM-FILE-MISSING' },
  });
  expect((await rig.ask('GET', at('files?path=tmp'))).status).toBe(400);
  const cut = await rig.ask('PUT', at('files?path=/tmp'), { body: body.subarray(0, 300) });
  expect(cut).toMatchObject({ status: 422, json: { code: 'HM-FILE-ARCHIVE' } });
});
