/** What all routes have in common, over real sockets: tags and conditions, keys, pages, filters, watching, rates. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { limits } from '../../../../protocols/limits.ts';
import { createApp } from '../../../../runtime/api/app.ts';
import { createContext } from '../../../../runtime/api/context.ts';
import type { ActorPath } from '../../../../protocols/wire/address.ts';
import { createLogger } from '../../../../runtime/telemetry/logger.ts';
import { problemView } from '../../../../runtime/api/schemas/views.ts';
import { until } from '../../../kit/until.ts';
import { apiRig, app, json, linesOf, service, type ApiRig, type Asked } from '../rig.ts';

let rig: ApiRig;

beforeAll(async () => {
  rig = await apiRig();
  await rig.deploy(app('shop', service('web', { replicas: 5 }), service('db', { image: 'hello-store' })));
});
afterAll(() => rig.end());

const withHeaders = (headers: Record<string, string>, asked: Asked = {}): Asked => ({
  ...asked,
  headers: { ...asked.headers, ...headers },
});
const codeOf = (answer: { json: unknown }) => problemView.parse(answer.json).code;

describe('tags', () => {
  test('an answer that did not change is 304 without a body; one that did is whole', async () => {
    const first = await rig.ask('GET', '/v1/version');
    const tag = first.headers.etag!;
    expect(tag).toMatch(/^"[\w-]+"$/);
    const again = await rig.ask('GET', '/v1/version', withHeaders({ 'if-none-match': `"x", W/${tag}` }));
    expect([again.status, again.text, again.headers.etag]).toEqual([304, '', tag]);
    expect((await rig.ask('GET', '/v1/version', withHeaders({ 'if-none-match': '"x"' }))).status).toBe(200);
    expect((await rig.ask('GET', '/v1/version', withHeaders({ 'if-match': '"x"' }))).status).toBe(412);
  });

  test('If-Match lets one of two changes through; the other learns the present tag', async () => {
    const { headers } = await rig.ask('GET', '/v1/apps/shop');
    const scaled = (replicas: number) =>
      rig.ask(
        'POST',
        '/v1/apps/shop/scale',
        withHeaders({ 'if-match': headers.etag! }, json({ service: 'db', replicas })),
      );
    const answers = await Promise.all([scaled(2), scaled(3)]);
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 412]);
    const late = await scaled(4);
    expect([late.status, codeOf(late)]).toEqual([412, 'HM-API-PRECONDITION']);
    const { headers: now } = await rig.ask('GET', '/v1/apps/shop');
    expect(late.headers.etag!.split('.')[0]).toBe(now.etag!.split('.')[0]);
    const retried = await rig.ask(
      'POST',
      '/v1/apps/shop/scale',
      withHeaders({ 'if-match': late.headers.etag! }, json({ service: 'db', replicas: 1 })),
    );
    expect(retried.status).toBe(200);
  });

  test('If-None-Match: * makes, and never changes', async () => {
    const put = (name: string) =>
      rig.ask(
        'PUT',
        `/v1/apps/${name}`,
        withHeaders({ 'if-none-match': '*' }, json({ spec: app(name, service('web', { replicas: 0 })) })),
      );
    expect((await put('shop')).status).toBe(412);
    expect(
      (await Promise.all([put('once'), put('once')])).map(({ status }) => status).sort((a, b) => a - b),
    ).toEqual([200, 412]);
  });

  test('a condition on what has no tag is refused rather than ignored', async () => {
    const answer = await rig.ask('DELETE', '/v1/images/spare', withHeaders({ 'if-match': '"x"' }));
    expect([answer.status, codeOf(answer)]).toEqual([400, 'HM-API-REQUEST']);
  });
});

describe('Idempotency-Key', () => {
  const restart = (key: string, body: object = { service: 'db' }) =>
    rig.ask('POST', '/v1/apps/shop/restart', withHeaders({ 'idempotency-key': key }, json(body)));

  test('the same request is done once and answered alike', async () => {
    const marks = async () =>
      ((await rig.ask('GET', '/v1/apps/shop')).json as { record: { restarts: Record<string, number> } })
        .record.restarts;
    const before = (await marks())['db'] ?? 0;
    const first = await restart('k1');
    const second = await restart('k1');
    expect([second.status, second.text]).toEqual([first.status, first.text]);
    expect(second.headers['idempotent-replayed']).toBe('true');
    expect((await marks())['db']).toBe(before + 1);
  });

  test('another body under the key is 422, one under way is 409, a key that is none is 400', async () => {
    expect(codeOf(await restart('k1', { service: 'web' }))).toBe('HM-API-IDEMPOTENCY');
    const both = await Promise.all([restart('k2'), restart('k2')]);
    expect(both.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 409]);
    expect(codeOf(await restart('x'.repeat(256)))).toBe('HM-API-REQUEST');
  });

  test('a refusal is answered again too, one that says "later" is not kept', async () => {
    const first = await restart('k3', { index: 1 });
    const second = await restart('k3', { index: 1 });
    expect([first.status, second.text]).toEqual([400, first.text]);
  });
});

describe('lists', () => {
  const slots = async (query: string) => {
    const { json: page, text, status } = await rig.ask('GET', `/v1/containers?${query}`);
    if (status !== 200) throw new Error(text);
    return page as { slots: Record<string, unknown>[]; nextPageToken?: string };
  };

  test('pages', async () => {
    const first = await slots('limit=4&sort=-slot');
    expect(first.slots.map(({ slot }) => slot)).toEqual([
      'shop/web.5',
      'shop/web.4',
      'shop/web.3',
      'shop/web.2',
    ]);
    const rest = await slots(`limit=4&sort=-slot&pageToken=${first.nextPageToken}`);
    expect(rest.slots.map(({ slot }) => slot)).toEqual(['shop/web.1', 'shop/db.1']);
    expect(rest.nextPageToken).toBeUndefined();
  });

  test('filter and fields', async () => {
    expect(await slots('filter=slot:*/web.1%20health:ready&fields=slot,phase')).toEqual({
      slots: [{ slot: 'shop/web.1', phase: 'running' }],
    });
  });

  test.each([
    ['limit=0', /limit/],
    ['limit=1001', /limit/],
    ['sort=nothing', /no field nothing/],
    ['fields=slot,none', /no field none/],
    ['filter=none:1', /no field none/],
    ['pageToken=x', /not given by this list/],
    ['watch=true&limit=3', /watched whole/],
  ])('%s is refused', async (query, detail) => {
    const answer = await rig.ask('GET', `/v1/containers?${query}`);
    expect(answer.status).toBe(400);
    expect(problemView.parse(answer.json).detail).toMatch(detail);
  });

  test('an answer that is kept is never an old one', async () => {
    const questions = () =>
      rig.node.actors
        .transcript({ under: '/leader/apps' as ActorPath, limit: 1_000 })
        .filter(({ text }) => text.includes('apps.report')).length;
    await until('a second request asks no actor', async () => {
      await rig.ask('GET', '/v1/apps');
      const before = questions();
      await rig.ask('GET', '/v1/apps');
      return questions() === before;
    });
    await rig.deploy(app('kept', service('web')));
    for (const replicas of [3, 1, 2]) {
      await rig.ask('POST', '/v1/apps/kept/scale', json({ service: 'web', replicas }));
      const { json: list } = await rig.ask('GET', '/v1/apps?filter=name:kept');
      const { json: again } = await rig.ask('GET', '/v1/apps');
      for (const answer of [list, again]) {
        const { apps } = answer as { apps: { name: string; services: { replicas: number }[] }[] };
        expect(apps.find(({ name }) => name === 'kept')?.services[0]?.replicas).toBe(replicas);
      }
    }
    await rig.ask('DELETE', '/v1/apps/kept');
    await until('it is gone', async () => !(await rig.ask('GET', '/v1/apps')).text.includes('"kept"'));
  });

  test('watch: rows, then synced, then what changes and what goes', async () => {
    await rig.deploy(app('seen', service('web')));
    const response = await rig.open('/v1/containers?watch=true&filter=app:seen&fields=slot,phase');
    const lines = linesOf(response);
    const next = async () =>
      JSON.parse((await lines.next()).value as string) as { type: string; key?: string };
    expect(await next()).toEqual({ type: 'row', row: { slot: 'seen/web.1', phase: 'running' } });
    expect(await next()).toEqual({ type: 'synced' });
    await rig.ask('POST', '/v1/apps/seen/scale', json({ service: 'web', replicas: 2 }));
    let line: { type: string; row?: { slot: string; phase: string }; key?: string } = await next();
    while (line.row?.phase !== 'running' || line.row.slot !== 'seen/web.2') line = await next();
    expect(line.type).toBe('changed');
    await rig.ask('DELETE', '/v1/apps/seen');
    const gone = new Set<string>();
    while (gone.size < 2) {
      const heard = await next();
      if (heard.type === 'removed') gone.add(heard.key!);
    }
    expect([...gone].sort()).toEqual(['seen/web.1', 'seen/web.2']);
    response.destroy();
  });

  test('watch as server-sent events', async () => {
    const response = await rig.open('/v1/apps?watch=true&filter=name:none', { accept: 'text/event-stream' });
    expect(response.headers['content-type']).toBe('text/event-stream');
    const lines = linesOf(response);
    expect((await lines.next()).value).toBe('event: synced');
    response.destroy();
  });
});

describe('problems', () => {
  test('name every fault with its place', async () => {
    const answer = await rig.ask('POST', '/v1/apps/shop/scale', json({ service: 1, replicas: -1 }));
    expect(problemView.parse(answer.json)).toMatchObject({
      type: 'urn:hivemind:HM-API-REQUEST',
      status: 400,
      instance: '/v1/apps/shop/scale',
      retryable: false,
      errors: [
        { in: 'body', pointer: '/service' },
        { in: 'body', pointer: '/replicas' },
      ],
    });
    expect(problemView.parse(answer.json).requestId).toBe(answer.headers['x-request-id']);
  });
});

test('a client that asks too much is told when to come back, others are not', async () => {
  const still = { ...rig.node, clock: { ...rig.node.clock, monotonicMs: () => 0 } };
  const context = createContext(still, {
    importDir: rig.directory,
    logger: createLogger({ level: 'silent', node: 'n1' }),
  });
  const door = createApp(context, { door: 'tcp' });
  const change = (client: string) =>
    door(new Request('http://n1/v1/nothing', { method: 'POST', headers: { 'content-length': '0' } }), client);
  for (let i = 0; i < limits.apiChangeBurst; i++) expect((await change('a')).status).toBe(404);
  const refused = await change('a');
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
  expect(problemView.parse(await refused.json())).toMatchObject({ code: 'HM-API-BUSY', retryable: true });
  expect((await change('b')).status).toBe(404);
  expect((await door(new Request('http://n1/livez'), 'a')).status).toBe(200);
});
