/** What the API refuses, and how it says so: a problem with its code, its hint and the whole reason. */
import { mkdir, stat, writeFile, chmod, readFile, readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { catalogue, reasonOf, type ErrorCode } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import { problemView } from '../../../runtime/api/schemas/views.ts';
import { serveApi } from '../../../runtime/api/server.ts';
import { ensureToken, mayPass } from '../../../runtime/api/token.ts';
import { createLogger } from '../../../runtime/telemetry/logger.ts';
import { realRandom } from '../../../runtime/world/real-random.ts';
import type { MemoryVolumes } from '../../../runtime/drivers/volume/memory.ts';
import { until } from '../../kit/until.ts';
import { apiRig, app, json, service, type ApiRig, type Asked } from './rig.ts';

let rig: ApiRig;
beforeAll(async () => {
  rig = await apiRig();
  await rig.deploy(app('shop', service('web'), service('db', { image: 'hello-store' })));
});
afterAll(() => rig.end());

const spec = (change: (good: Record<string, unknown>, web: Record<string, unknown>) => void): Asked => {
  const web = structuredClone(service('web')) as unknown as Record<string, unknown>;
  const good = { name: 'x', services: { web }, volumes: {} };
  change(good, web);
  return json({ spec: good });
};

describe('a request that is wrong', () => {
  test.each<[string, string, string, Asked | undefined, ErrorCode, RegExp]>([
    ['no route', 'GET', '/v1/nothing', undefined, 'HM-API-ROUTE', /GET \/v1\/nothing/],
    ['another method', 'PATCH', '/v1/apps', undefined, 'HM-API-METHOD', /PATCH/],
    [
      'no JSON',
      'PUT',
      '/v1/apps/x',
      { body: '{', headers: { 'content-type': 'application/json' } },
      'HM-API-REQUEST',
      /JSON/,
    ],
    ['no body', 'PUT', '/v1/apps/x', undefined, 'HM-API-REQUEST', /body/],
    ['no spec', 'PUT', '/v1/apps/x', json({}), 'HM-API-REQUEST', /body\.spec/],
    [
      'an unknown field',
      'PUT',
      '/v1/apps/x',
      spec((_, web) => (web['privileged'] = true)),
      'HM-API-REQUEST',
      /body\.spec\.services\.web.*privileged/,
    ],
    [
      'a wrong type',
      'PUT',
      '/v1/apps/x',
      spec((_, web) => (web['replicas'] = '2')),
      'HM-API-REQUEST',
      /body\.spec\.services\.web\.replicas/,
    ],
    [
      'too many replicas',
      'PUT',
      '/v1/apps/x',
      spec((_, web) => (web['replicas'] = 1_001)),
      'HM-API-REQUEST',
      /replicas/,
    ],
    [
      'no image name',
      'PUT',
      '/v1/apps/x',
      spec((_, web) => (web['image'] = 'Not An Image')),
      'HM-API-REQUEST',
      /the name of an image/,
    ],
    [
      'a name under another',
      'PUT',
      '/v1/apps/x',
      spec((_, web) => (web['name'] = 'api')),
      'HM-API-REQUEST',
      /the name it stands under/,
    ],
    [
      'no services',
      'PUT',
      '/v1/apps/x',
      spec((good) => (good['services'] = {})),
      'HM-API-REQUEST',
      /from 1 to/,
    ],
    [
      'a missing dependency',
      'PUT',
      '/v1/apps/x',
      spec((_, web) => (web['dependsOn'] = [{ service: 'db', condition: 'started' }])),
      'HM-API-REQUEST',
      /depends on db/,
    ],
    [
      'a missing volume',
      'PUT',
      '/v1/apps/x',
      spec((_, web) => (web['mounts'] = [{ type: 'volume', volume: 'v', target: '/v', readOnly: false }])),
      'HM-API-REQUEST',
      /mounts v/,
    ],
    ['another app', 'PUT', '/v1/apps/y', spec(() => {}), 'HM-API-REQUEST', /is x, not y/],
    ['a name that is none', 'GET', '/v1/apps/No%20App', undefined, 'HM-API-REQUEST', /param\.name/],
    ['an unknown app', 'GET', '/v1/apps/none', undefined, 'HM-APP-UNKNOWN', /none/],
    [
      'an unknown service',
      'POST',
      '/v1/apps/shop/scale',
      json({ service: 'none', replicas: 1 }),
      'HM-SERVICE-UNKNOWN',
      /none/,
    ],
    [
      'an index alone',
      'POST',
      '/v1/apps/shop/restart',
      json({ index: 1 }),
      'HM-API-REQUEST',
      /needs its service/,
    ],
    ['no slot', 'GET', '/v1/containers/shop/why', undefined, 'HM-API-REQUEST', /param\.slot/],
    [
      'an unknown slot',
      'GET',
      '/v1/containers/shop%2Fweb.9/why',
      undefined,
      'HM-TARGET-UNKNOWN',
      /shop\/web\.9/,
    ],
    [
      'logs of an unknown slot',
      'GET',
      '/v1/containers/shop%2Fweb.9/logs',
      undefined,
      'HM-TARGET-UNKNOWN',
      /shop\/web\.9/,
    ],
    [
      'too many lines',
      'GET',
      `/v1/containers/shop%2Fweb.1/logs?tail=${limits.apiLines + 1}`,
      undefined,
      'HM-API-REQUEST',
      /query\.tail/,
    ],
    [
      'a wrong switch',
      'GET',
      '/v1/containers/shop%2Fweb.1/logs?follow=yes',
      undefined,
      'HM-API-REQUEST',
      /query\.follow/,
    ],
    ['a used image', 'DELETE', '/v1/images/hello-web:latest', undefined, 'HM-IMAGE-USED', /shop/],
    ['an unknown image', 'DELETE', '/v1/images/none', undefined, 'HM-IMAGE-UNKNOWN', /none/],
    ['no image name', 'DELETE', '/v1/images/%20', undefined, 'HM-IMAGE-NAME', /not the name/],
    ['an unknown actor', 'GET', '/v1/actors/show?path=/none', undefined, 'HM-ACTOR-UNKNOWN', /\/none/],
    ['no actor path', 'GET', '/v1/actors/show?path=none', undefined, 'HM-API-REQUEST', /query\.path/],
    ['a wrong cursor', 'GET', '/v1/events?cursor=-1', undefined, 'HM-API-REQUEST', /not given by an event/],
    [
      'exec without an upgrade',
      'GET',
      '/v1/containers/shop%2Fweb.1/exec',
      undefined,
      'HM-API-REQUEST',
      /WebSocket/,
    ],
  ])('%s: %s %s', async (_what, method, path, asked, code, detail) => {
    const { status, headers, json: answer } = await rig.ask(method, path, asked);
    expect(headers['content-type']).toContain('application/problem+json');
    const problem = problemView.parse(answer);
    expect(problem).toMatchObject({
      code,
      status: catalogue[code].status,
      requestId: headers['x-request-id'],
    });
    expect(problem.detail).toMatch(detail);
    expect(problem.reason).toMatchObject({ code, message: problem.detail, hint: problem.hint });
    expect(status).toBe(catalogue[code].status);
  });

  test('nothing of it was applied', async () => {
    const { json: apps } = await rig.ask('GET', '/v1/apps');
    expect((apps as { apps: { name: string }[] }).apps.map(({ name }) => name)).toEqual(['shop']);
  });

  test('services in a circle', async () => {
    const needs = (name: string, other: string) =>
      service(name, { dependsOn: [{ service: other, condition: 'started' }] });
    const body = json({ spec: app('x', needs('a', 'b'), needs('b', 'a')) });
    expect(problemView.parse((await rig.ask('PUT', '/v1/apps/x', body)).json).detail).toContain('a → b → a');
  });

  test('a body beyond the limit', async () => {
    const { status, json: answer } = await rig.ask(
      'PUT',
      '/v1/apps/x',
      json({ spec: 'x'.repeat(limits.apiBodyBytes) }),
    );
    expect([status, problemView.parse(answer).code]).toEqual([413, 'HM-API-TOO-LARGE']);
  });
});

test('contexts of actors are shown without secrets', async () => {
  const { text } = await rig.ask('GET', '/v1/actors/show?path=/leader/apps');
  expect(text).toContain('shop/web');
  expect(text).not.toContain('tell-nobody');
});

test('why says nothing about a slot that is as wished, and gives the reason of one that is not', async () => {
  expect((await rig.ask('GET', '/v1/containers/shop%2Fweb.1/why')).json).toMatchObject({
    slot: 'shop/web.1',
    status: { phase: 'running' },
    reasons: [],
  });
  await rig.ask('PUT', '/v1/apps/lost', json({ spec: app('lost', service('web', { image: 'nowhere' })) }));
  await until('the slot says why', async () => {
    const { json: why } = await rig.ask('GET', '/v1/containers/lost%2Fweb.1/why');
    return (why as { reasons: { code: string }[] }).reasons[0]?.code === 'HM-IMAGE-MISSING';
  });
});

test('what serves is not replaced by what the node could not start', async () => {
  await rig.deploy(app('kept', service('web')));
  (rig.node.ports.volumes as MemoryVolumes).missing.add('/not/there');
  const lost = service('web', { image: 'nowhere' });
  const unbound = service('web', {
    mounts: [{ type: 'bind', source: '/not/there', target: '/x', readOnly: false, createSource: false }],
  });
  for (const [wished, code] of [
    [lost, 'HM-IMAGE-MISSING'],
    [unbound, 'HM-BIND-MISSING'],
  ] as const) {
    const { status, json: problem } = await rig.ask(
      'PUT',
      '/v1/apps/kept',
      json({ spec: app('kept', wished) }),
    );
    expect([status, problemView.parse(problem).code]).toEqual([409, code]);
  }
  const { json: shown } = await rig.ask('GET', '/v1/apps/kept');
  expect(shown).toMatchObject({ view: { revision: 1, converged: true } });
  await rig.ask('DELETE', '/v1/apps/kept');
});

describe('doors', () => {
  const options = (more: object = {}) => ({
    socketPath: join(rig.directory, 'other.sock'),
    address: { host: '127.0.0.1', port: 0 },
    tokenPath: join(rig.directory, 'other-token'),
    importDir: join(rig.directory, 'other-import'),
    logger: createLogger({ level: 'silent', node: 'n1' }),
    ...more,
  });
  const refusalOf = (more: object) =>
    serveApi(rig.node, options(more)).then(
      () => expect.fail('it was served'),
      (thrown: unknown) => reasonOf(thrown),
    );

  test('the socket is for its owner only, and goes with the API', async () => {
    const api = await serveApi(rig.node, options());
    expect((await stat(api.socketPath)).mode & 0o777).toBe(0o600);
    expect((await stat(options().tokenPath)).mode & 0o777).toBe(0o600);
    await api.close();
    await expect(stat(api.socketPath)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('a socket that somebody answers on is left alone', async () => {
    const because = await refusalOf({ socketPath: rig.api.socketPath });
    expect(because).toMatchObject({ code: 'HM-API-LISTEN', evidence: { socket: rig.api.socketPath } });
    expect((await rig.ask('GET', '/livez')).status).toBe(200);
  });

  test('a socket that a killed node left behind is replaced', async () => {
    const { spawnSync } = await import('node:child_process');
    const path = join(rig.directory, 'stale.sock');
    const dies = `require('net').createServer().listen('${path}', () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', dies]);
    expect((await stat(path)).isSocket()).toBe(true);
    const api = await serveApi(rig.node, options({ socketPath: path }));
    await api.close();
  });

  test('a taken port is refused, and the socket with it', async () => {
    const other = createServer();
    const port = await new Promise<number>((resolve) => {
      other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port));
    });
    const because = await refusalOf({ address: { host: '127.0.0.1', port } });
    expect(because).toMatchObject({ code: 'HM-API-LISTEN', evidence: { where: `127.0.0.1:${port}` } });
    await expect(stat(options().socketPath)).rejects.toMatchObject({ code: 'ENOENT' });
    other.close();
  });

  test('what a killed node had received so far is removed', async () => {
    const importDir = join(rig.directory, 'leftovers');
    await mkdir(importDir);
    await writeFile(join(importDir, 'half.tar'), 'half');
    const api = await serveApi(rig.node, options({ importDir }));
    await expect(readdir(importDir)).rejects.toMatchObject({ code: 'ENOENT' });
    await api.close();
  });
});

describe('the token', () => {
  test('is kept over restarts; one that was cut is made anew; a wide mode is narrowed', async () => {
    const path = join(rig.directory, 'a-token');
    const first = await ensureToken(path, realRandom);
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    await chmod(path, 0o644);
    expect(await ensureToken(path, realRandom)).toBe(first);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await writeFile(path, first.slice(0, 7));
    const second = await ensureToken(path, realRandom);
    expect(second).not.toBe(first);
    expect((await readFile(path, 'utf8')).trim()).toBe(second);
  });

  test('a folder in its place is HM-DATA-DIR', async () => {
    const because = await ensureToken(rig.directory, realRandom).catch((thrown: unknown) => reasonOf(thrown));
    expect(because).toMatchObject({ code: 'HM-DATA-DIR' });
  });

  test.each([
    ['Bearer secret', true],
    ['bearer  secret ', true],
    ['Bearer secre', false],
    ['Bearer secret x', false],
    ['secret', false],
    ['', false],
    [undefined, false],
  ])('%s → %s', (header, passes) => {
    expect(mayPass(header, 'secret')).toBe(passes);
  });
});
