/** The document and the answers agree: every route is in the OpenAPI document, every answer fits its schema, nobody passes without the token. */
import type { z } from '@hono/zod-openapi';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cursorOf } from '../../../protocols/events/place.ts';
import { catalogue, type ErrorCode } from '../../../protocols/errors.ts';
import { execPath, forwardPath, routes } from '../../../runtime/api/app.ts';
import { problemView } from '../../../runtime/api/schemas/views.ts';
import { until } from '../../kit/until.ts';
import { requests, slot } from './requests.ts';
import { apiRig, app, json, linesOf, service, type ApiRig, type Asked } from './rig.ts';

let rig: ApiRig;

beforeAll(async () => {
  rig = await apiRig();
  await rig.deploy(
    app('shop', service('web', { replicas: 2 }), service('db', { image: 'nowhere', replicas: 0 })),
  );
  rig.logs.write('shop/web.1', 'hello');
});
afterAll(() => rig.end());

/** Not answered with 200 here: they have tests of their own. */
const elsewhere = [
  'post /v1/images/import',
  'post /v1/images/pull',
  'post /v1/images/prune',
  'get /v1/images/{name}/export',
  'get /v1/events/stream',
  'post /v1/store/accept',
  'get /v1/stats',
  ...['get', 'put'].map((method) => `${method} /v1/containers/{slot}/files`),
  ...['stats', 'processes'].map((name) => `get /v1/containers/{slot}/${name}`),
  ...['pause', 'unpause'].map((name) => `post /v1/containers/{slot}/${name}`),
  'get /metrics',
  // Of a node that has others.
  ...['get', 'post'].map((method) => `${method} /v1/cluster/join-tokens`),
  'delete /v1/cluster/join-tokens/{id}',
  ...['rotate', 'leave'].map((name) => `post /v1/cluster/${name}`),
];
const nameOf = ({ method, path }: { method: string; path: string }): string => `${method} ${path}`;
const schemaOf = (route: string): z.ZodType => routes.find((one) => nameOf(one) === route)!.answer;

test('every route has a request here', () => {
  expect([...requests.map(([route]) => route), ...elsewhere].sort()).toEqual(routes.map(nameOf).sort());
});

test('every route is in the document, exec and port-forward', async () => {
  const { json: document } = await rig.ask('GET', '/v1/openapi.json');
  const { openapi, paths, components } = document as {
    openapi: string;
    paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
    components: { schemas: object };
  };
  expect(openapi).toBe('3.1.0');
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  expect(described.sort()).toEqual([...routes.map(nameOf), `get ${execPath}`, `get ${forwardPath}`].sort());
  expect(Object.keys(components.schemas)).toEqual(
    expect.arrayContaining(['App', 'AppView', 'Event', 'Problem', 'Reason', 'SlotStatus']),
  );
});

/** What the document says of a 200, as others read it: by JSON schema, not by ours. */
async function documentedAnswer(route: string, type: string): Promise<ValidateFunction> {
  const [method, path] = route.split(' ') as [string, string];
  const { json: document } = await rig.ask('GET', '/v1/openapi.json');
  const ajv = new Ajv2020({ strict: false, validateFormats: false }).addSchema(document as object, 'api');
  const part = (text: string): string => text.replaceAll('~', '~0').replaceAll('/', '~1');
  const place = ['paths', path, method, 'responses', '200', 'content', type, 'schema'].map(part).join('/');
  return ajv.compile({ $ref: `api#/${encodeURI(place)}` });
}

describe('every answer fits its schema and the document', () => {
  test.each<[string, string, (() => Asked)?]>(requests)('%s', async (route, path, asked) => {
    const method = route.split(' ')[0]!.toUpperCase();
    const { status, headers, text } = await rig.ask(method, path, asked?.());
    expect([status, text]).toEqual([200, expect.any(String)]);
    const isLines = headers['content-type'] === 'application/x-ndjson';
    const values = isLines ? text.trimEnd().split('\n') : [text];
    const documented = await documentedAnswer(route, isLines ? 'application/x-ndjson' : 'application/json');
    for (const value of values) {
      expect(schemaOf(route).safeParse(JSON.parse(value)).error?.issues).toBeUndefined();
      expect([documented(JSON.parse(value)), documented.errors]).toEqual([true, null]);
    }
    expect(headers['x-request-id']).toMatch(/^[0-9a-f]{16}$/);
    expect(headers['cache-control']).toBe('no-store');
  });
});

test('an imported archive is asked of the image source, and no upload is left behind', async () => {
  const { status, json: problem } = await rig.ask('POST', '/v1/images/import?name=x:1', {
    body: Buffer.alloc(100_000),
  });
  expect(status).toBe(catalogue[(problem as { code: ErrorCode }).code].status);
  expect((problem as { code: string }).code).toMatch(/^HM-IMAGE-/);
  const { readdir } = await import('node:fs/promises');
  expect(await readdir(`${rig.directory}/import`)).toEqual([]);
});

describe('without the token', () => {
  const everything = [
    ...routes.map(({ method, path }) => [method.toUpperCase(), path] as const),
    ['GET', execPath],
    ['GET', forwardPath],
    ['GET', '/v1/openapi.json'],
    ['GET', '/anything'],
  ] as const;
  test.each(everything)('%s %s is 401', async (method, path) => {
    const place = path.replace('{name}', 'shop').replace('{slot}', slot);
    for (const authorization of [undefined, 'Bearer wrong', `Basic ${rig.token}`, `Bearer ${rig.token}x`]) {
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
      const { status, headers: answered, json: problem } = await rig.askTcp(method, place, { headers });
      expect(status).toBe(401);
      expect(answered['content-type']).toContain('application/problem+json');
      expect(problemView.parse(problem).code).toBe('HM-API-TOKEN');
    }
  });

  test('with it, TCP answers as the socket does', async () => {
    const { status, json: version } = await rig.askTcp('GET', '/v1/version');
    expect(status).toBe(200);
    expect(version).toEqual((await rig.ask('GET', '/v1/version')).json);
  });
});

const start = cursorOf('n1', { boot: 0, seq: 0 });

describe('events stream', () => {
  test('from a cursor on, then what happens', async () => {
    const response = await rig.open(`/v1/events/stream?cursor=${start}`);
    const lines = linesOf(response);
    const first = JSON.parse((await lines.next()).value as string) as { seq: number };
    expect(first.seq).toBe(1);
    const { json: page } = await rig.ask('GET', '/v1/events?limit=1');
    const newest = (page as { events: { seq: number }[] }).events[0]!.seq;
    for (let seq = 2; seq <= newest; seq++) await lines.next();
    await rig.ask('PUT', '/v1/apps/late', json({ spec: app('late', service('web')) }));
    const next = JSON.parse((await lines.next()).value as string) as { seq: number };
    expect(next.seq).toBe(newest + 1);
    response.destroy();
  });

  test('as server-sent events, from the last id on', async () => {
    const response = await rig.open('/v1/events/stream', {
      accept: 'text/event-stream',
      'last-event-id': cursorOf('n1', { boot: 1, seq: 1 }),
    });
    expect(response.headers['content-type']).toContain('text/event-stream');
    const lines = linesOf(response);
    const frame = [(await lines.next()).value, (await lines.next()).value, (await lines.next()).value];
    expect(frame[0]).toBe(`id: ${cursorOf('n1', { boot: 1, seq: 2 })}`);
    expect(frame[1]).toMatch(/^event: [a-z.-]+$/);
    expect(JSON.parse(String(frame[2]).replace(/^data: /, ''))).toMatchObject({ seq: 2 });
    response.destroy();
  });

  test('only what a topic and a filter want', async () => {
    const { json: page } = await rig.ask('GET', '/v1/events?topic=app:shop&filter=level:info');
    const { events } = page as { events: { type: string; subject: string }[] };
    expect(events.length).toBeGreaterThan(0);
    for (const { type, subject } of events)
      expect([type, subject]).toEqual([expect.stringMatching(/^app\./), 'shop']);
  });

  test('pages by cursor make the whole', async () => {
    const { json: newest } = await rig.ask('GET', '/v1/events?limit=10000');
    const whole = (newest as { events: { seq: number }[] }).events.map(({ seq }) => seq);
    const seen: number[] = [];
    let cursor = start;
    while (seen.length < whole.length) {
      const { json: page } = await rig.ask('GET', `/v1/events?limit=3&cursor=${cursor}`);
      const part = page as { events: { seq: number }[]; cursor: string };
      seen.push(...part.events.map(({ seq }) => seq));
      cursor = part.cursor;
    }
    expect(seen.slice(0, whole.length)).toEqual(whole);
  });

  test.each([
    ['of another node', cursorOf('n2', { boot: 1, seq: 1 })],
    ['of the future', cursorOf('n1', { boot: 9, seq: 1 })],
  ])('a cursor %s is 410 before anything is sent', async (_, cursor) => {
    for (const path of ['/v1/events', '/v1/events/stream']) {
      const { status, json: problem } = await rig.ask('GET', `${path}?cursor=${cursor}`);
      expect([status, problemView.parse(problem).code]).toEqual([410, 'HM-EVENTS-EXPIRED']);
    }
  });
});

describe('followed logs', () => {
  test('what was said, then what is said; ends with the client', async () => {
    await rig.deploy(app('loud', service('web')));
    rig.logs.write('loud/web.1', 'before');
    const response = await rig.open('/v1/containers/loud%2Fweb.1/logs?follow=true&tail=5');
    const lines = linesOf(response);
    const next = async () => (JSON.parse((await lines.next()).value as string) as { text: string }).text;
    expect(await next()).toBe('before');
    rig.logs.write('loud/web.1', 'after');
    expect(await next()).toBe('after');
    response.destroy();
    await until('nobody follows any more', () => rig.logs.followers === 0);
  });

  test('of a service that keeps none are refused, followed or not; a place that is none too', async () => {
    for (const query of ['', '?follow=true']) {
      const { status, json: problem } = await rig.ask('GET', `/v1/containers/mute%2Fweb.1/logs${query}`);
      expect([status, problemView.parse(problem).code]).toEqual([409, 'HM-LOGS-NONE']);
    }
    expect((await rig.ask('GET', '/v1/containers/loud%2Fweb.1/logs?after=here')).status).toBe(400);
  });
});

test('a followed transcript tells what actors do', async () => {
  const response = await rig.open('/v1/actors/transcript?path=/leader/apps&limit=0&follow=true');
  await rig.ask('GET', '/v1/apps');
  const line = JSON.parse((await linesOf(response).next()).value as string) as { path: string; text: string };
  expect(line.path).toBe('/leader/apps');
  expect(line.text).toContain('apps.report');
  response.destroy();
});
