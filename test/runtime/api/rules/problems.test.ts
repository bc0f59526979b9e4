/**
 * Every route, asked in every wrong way over real sockets, and with a node behind it that fails: each refusal is a
 * problem as the document has it, with the status of its code.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { catalogue, coded, type ErrorCode } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';
import type { Ports } from '../../../../protocols/ports.ts';
import { createApp, openApiDocument, routes } from '../../../../runtime/api/app.ts';
import { createContext } from '../../../../runtime/api/context.ts';
import type { Problem } from '../../../../runtime/api/problem.ts';
import type { Route } from '../../../../runtime/api/route.ts';
import { createLogger } from '../../../../runtime/telemetry/logger.ts';
import { until } from '../../../kit/until.ts';
import { requests, slot } from '../requests.ts';
import { apiRig, app, json, service, type ApiRig, type Answer, type Asked } from '../rig.ts';

let rig: ApiRig;
const tokens: Record<'read' | 'expired', string> = { read: '', expired: '' };

beforeAll(async () => {
  rig = await apiRig();
  await rig.deploy(app('shop', service('web')));
  const token = async (name: string, more: object) =>
    ((await rig.ask('POST', '/v1/tokens', json({ name, scope: 'read', ...more }))).json as { token: string })
      .token;
  tokens.read = await token('reader', {});
  tokens.expired = await token('old', { expiresInS: 1 });
  await until('it has expired', async () => (await as(tokens.expired)('GET', '/livez')).status === 401);
});
afterAll(() => rig.end());

const as =
  (token: string) =>
  (method: string, path: string, { body, headers }: Asked = {}) =>
    rig.askTcp(method, path, {
      headers: { ...headers, authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body }),
    });

interface Good {
  readonly route: Route;
  readonly method: string;
  readonly path: string;
  readonly asked: Asked;
}

/** Of what `requests` leaves to tests of their own. */
const others: Readonly<Record<string, readonly [path: string, asked?: Asked]>> = {
  'post /v1/images/import': ['/v1/images/import?name=x:1', { body: 'no archive' }],
  'post /v1/images/pull': ['/v1/images/pull', json({ image: 'hello-web' })],
  'get /v1/images/{name}/export': ['/v1/images/hello-web/export?format=oci'],
  'get /v1/containers/{slot}/files': [`/v1/containers/${slot}/files?path=/etc`],
  'post /v1/cluster/join-tokens': ['/v1/cluster/join-tokens', json({})],
  'post /v1/cluster/leave': ['/v1/cluster/leave', json({})],
  'put /v1/containers/{slot}/files': [`/v1/containers/${slot}/files?path=/etc`, { body: 'no archive' }],
};

const goods: readonly Good[] = routes.map((route) => {
  const name = `${route.method} ${route.path}`;
  const known = requests.find(([one]) => one === name);
  const [path, asked] = known
    ? [known[1], known[2]?.()]
    : (others[name] ?? [route.path.replace('{slot}', slot)]);
  return { route, method: route.method.toUpperCase(), path, asked: asked ?? {} };
});
const named = goods.map((good) => [`${good.method} ${good.route.path}`, good] as const);
const takesJson = named.filter(([, { asked }]) => asked.headers?.['content-type'] === 'application/json');
const changes = named.filter(([, { method }]) => method !== 'GET');

const document = openApiDocument('1.0.0');
const ajv = new Ajv2020({ strict: false, validateFormats: false }).addSchema(document, 'api');
const compiled = new Map<string, ValidateFunction>();

/** By the schema that the document gives for refusals of this very route. */
function documented({ path, method }: Route): ValidateFunction {
  const parts = [
    'paths',
    path,
    method,
    'responses',
    'default',
    'content',
    'application/problem+json',
    'schema',
  ];
  const place = parts.map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1')).join('/');
  const known = compiled.get(place) ?? ajv.compile({ $ref: `api#/${encodeURI(place)}` });
  compiled.set(place, known);
  return known;
}

/** It is a problem, whole and in itself right; answers its code. */
function problemOf(route: Route, { status, headers, json: value }: Omit<Answer, 'text'>): ErrorCode {
  expect(headers['content-type']).toBe('application/problem+json');
  const validate = documented(route);
  expect([validate(value), validate.errors]).toEqual([true, null]);
  const problem = value as Problem;
  const code = problem.code as ErrorCode;
  expect(problem).toMatchObject({ status, type: `urn:hivemind:${code}`, requestId: headers['x-request-id'] });
  expect(problem.reason).toMatchObject({ code, message: problem.detail, hint: problem.hint });
  expect(status).toBe(catalogue[code].status);
  expect(problem.hint).not.toBe('');
  return code;
}

describe('who may not', () => {
  test.each(named)('%s', async (_, { route, method, path, asked }) => {
    const refused = async (answer: Promise<Answer>) => problemOf(route, await answer);
    expect(await refused(rig.askTcp(method, path, { ...asked, headers: { ...asked.headers } }))).toBe(
      'HM-API-TOKEN',
    );
    expect(await refused(as('wrong')(method, path, asked))).toBe('HM-API-TOKEN');
    expect(await refused(as(tokens.expired)(method, path, asked))).toBe('HM-API-TOKEN-EXPIRED');
    if (route.scope !== 'read')
      expect(await refused(as(tokens.read)(method, path, asked))).toBe('HM-API-SCOPE');
  });
});

test.each(named)('another method: %s', async (_, { route, path }) => {
  const answer = await rig.ask('PATCH', path);
  expect(problemOf(route, answer)).toBe('HM-API-METHOD');
  expect(answer.headers['allow']?.split(', ')).toContain(route.method.toUpperCase());
});

test.each(named)('a query that is not known: %s', async (_, { route, method, path, asked }) => {
  const answer = await rig.ask(method, `${path}${path.includes('?') ? '&' : '?'}bogus=1`, asked);
  expect(problemOf(route, answer)).toBe('HM-API-REQUEST');
  expect((answer.json as Problem).detail).toContain('bogus');
});

describe.each(takesJson)('a body of %s', (_, { route, method, path, asked }) => {
  const refused = async (more: Asked) => problemOf(route, await rig.ask(method, path, { ...asked, ...more }));

  test('that is broken, of another kind, or too large', async () => {
    const type = { 'content-type': 'application/json' };
    expect(await refused({ body: '{"broken' })).toBe('HM-API-REQUEST');
    expect(await refused({ body: '[]' })).toBe('HM-API-REQUEST');
    expect(await refused({ body: '{"bogus":1}' })).toBe('HM-API-REQUEST');
    for (const wrong of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
    ])
      expect(await refused({ headers: { 'content-type': wrong } })).toBe('HM-API-MEDIA');
    expect(await refused({ headers: {} })).toBe('HM-API-MEDIA');
    expect(await refused({ body: ' '.repeat(limits.apiBodyBytes + 1), headers: type })).toBe(
      'HM-API-TOO-LARGE',
    );
  });
});

/** These make what is not there. */
const making = ['PUT /v1/apps/{name}', 'POST /v1/apps/{name}/plan', 'PUT /v1/secrets/{name}'];
const withId = named.filter(([name, { route }]) => route.path.includes('{') && !making.includes(name));

test.each(withId)('an id that is not there: %s', async (_, { route, method, path, asked }) => {
  const fill: Readonly<Record<string, string>> = { '{slot}': 'absent%2Fweb.1' };
  const absent = route.path.replaceAll(/\{\w+\}/g, (blank) => fill[blank] ?? 'absent');
  const query = path.includes('?') ? path.slice(path.indexOf('?')).replace('previous=true', '') : '';
  const answer = await rig.ask(method, `${absent}${query}`, asked);
  expect([answer.status, catalogue[problemOf(route, answer)].status]).toEqual([404, 404]);
});

test.each(named)('a tag that is another: %s', async (_, { route, method, path, asked }) => {
  const headers = { ...asked.headers, 'if-match': '"another"' };
  // Of streams there is no tag, and they do not end.
  const now = method === 'GET' && !path.includes('stream') ? await rig.ask(method, path, asked) : undefined;
  if (method === 'GET' && now?.headers.etag === undefined) return;
  const code = problemOf(route, await rig.ask(method, path, { ...asked, headers }));
  expect(method === 'GET' ? ['HM-API-PRECONDITION'] : ['HM-API-PRECONDITION', 'HM-API-REQUEST']).toContain(
    code,
  );
});

test.each(changes.filter(([, { method }]) => method === 'POST'))(
  'a key that is none: %s',
  async (name, { route, method, path, asked }) => {
    if (name.includes('import') || name.includes('rotate')) return;
    const headers = { ...asked.headers, 'idempotency-key': 'x'.repeat(256) };
    expect(problemOf(route, await rig.ask(method, path, { ...asked, headers }))).toBe('HM-API-REQUEST');
  },
);

describe('a node that fails', () => {
  const failing = (thrown: Error) => {
    const fails = () => Promise.reject(thrown);
    const port = new Proxy({}, { get: (_, op) => (op === 'onPull' ? () => () => {} : fails) });
    const ports = new Proxy({}, { get: () => port }) as Ports;
    const node = { ...rig.node, ask: fails, ports, machine: fails, doctor: fails };
    const logger = createLogger({ level: 'silent', node: 'n1' });
    return createApp(createContext(node, { importDir: `${rig.directory}/none`, logger }), { door: 'test' });
  };

  test.each([
    ['does not answer', coded('HM-ACTOR-TIMEOUT'), 504],
    ['has no store', coded('HM-STORE-DOWN'), 503],
    ['has a defect', new Error('boom'), 500],
  ] as const)('that %s', async (_, thrown, status) => {
    const door = failing(thrown);
    let refused = 0;
    for (const { route, method, path, asked } of goods) {
      if (route.path === '/readyz') continue;
      const { body, headers } = asked;
      const length = { 'content-length': String(Buffer.byteLength(body ?? '')) };
      const request = new Request(`http://n1${path}`, {
        method,
        headers: { ...length, ...headers },
        ...(body === undefined ? {} : { body }),
      });
      const answer = await door(request);
      if (answer.status < 400) {
        await answer.body?.cancel();
        continue;
      }
      const told = { status: answer.status, headers: Object.fromEntries(answer.headers) };
      const code = problemOf(route, { ...told, json: await answer.json() });
      if (catalogue[code].status === status) refused += 1;
    }
    // The others answer from what the door itself holds.
    expect(refused).toBeGreaterThan(goods.length / 2);
  });
});
