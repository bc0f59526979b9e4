/** Named tokens: what each scope may do, when one ends, and that nothing of it is kept but a hash. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { routes } from '../../../../runtime/api/app.ts';
import { problemView } from '../../../../runtime/api/schemas/views.ts';
import { keys } from '../../../../protocols/state/keys.ts';
import type { Scope, TokenRecord } from '../../../../protocols/security/tokens.ts';
import { until } from '../../../kit/until.ts';
import { apiRig, app, json, service, type ApiRig } from '../rig.ts';

let rig: ApiRig;
const call = { key: 'test', signal: new AbortController().signal };

beforeAll(async () => {
  rig = await apiRig();
  await rig.deploy(app('shop', service('web')));
});
afterAll(() => rig.end());

async function create(name: string, scope: Scope, expiresInS?: number): Promise<string> {
  const { json: made, text } = await rig.ask(
    'POST',
    '/v1/tokens',
    json({ name, scope, ...(expiresInS ? { expiresInS } : {}) }),
  );
  const { token } = made as { token?: string };
  if (token === undefined) throw new Error(text);
  return token;
}

const asked = async (token: string, method: string, path: string) => {
  const { status, json: answer } = await rig.askTcp(method, path, {
    headers: { authorization: `Bearer ${token}` },
  });
  return { status, code: status < 400 ? '' : problemView.parse(answer).code };
};

test('each scope holds what the ones before may', async () => {
  const tokens = {
    read: await create('r', 'read'),
    write: await create('w', 'write'),
    admin: await create('a', 'admin'),
  };
  const ranks = { read: 0, write: 1, admin: 2 };
  for (const route of routes) {
    if (['post /v1/store/accept', 'get /v1/events/stream'].includes(`${route.method} ${route.path}`))
      continue;
    const path = route.path.replaceAll(/\{[^}]+\}/g, 'Not%20There');
    for (const [scope, token] of Object.entries(tokens) as [Scope, string][]) {
      const { code } = await asked(token, route.method.toUpperCase(), path);
      const may = ranks[scope] >= ranks[route.scope];
      // Without a body some are malformed before their scope is looked at; none is done.
      if (may) expect([route.path, scope, code]).not.toEqual([route.path, scope, 'HM-API-SCOPE']);
      else expect(['HM-API-SCOPE', 'HM-API-REQUEST']).toContain(code);
    }
  }
  expect(await asked(tokens.read, 'DELETE', '/v1/apps/shop')).toEqual({ status: 403, code: 'HM-API-SCOPE' });
  expect(await asked(tokens.write, 'GET', '/v1/tokens')).toEqual({ status: 403, code: 'HM-API-SCOPE' });
});

test('an expired token is 401 with a code of its own, on every route', async () => {
  const token = await create('short', 'admin', 1);
  await until('it has expired', async () => (await asked(token, 'GET', '/livez')).status === 401);
  for (const { method, path } of routes) {
    const place = path.replaceAll(/\{[^}]+\}/g, 'shop');
    expect(await asked(token, method.toUpperCase(), place)).toEqual({
      status: 401,
      code: 'HM-API-TOKEN-EXPIRED',
    });
  }
});

test('a revoked token ends at once', async () => {
  const token = await create('gone', 'read');
  expect((await asked(token, 'GET', '/v1/apps')).status).toBe(200);
  expect((await rig.ask('DELETE', '/v1/tokens/gone')).status).toBe(200);
  expect(await asked(token, 'GET', '/v1/apps')).toEqual({ status: 401, code: 'HM-API-TOKEN' });
  expect(problemView.parse((await rig.ask('DELETE', '/v1/tokens/gone')).json).code).toBe('HM-TOKEN-UNKNOWN');
});

describe('what is kept', () => {
  test('is a hash: neither the store nor a list holds the token', async () => {
    const token = await create('kept', 'write');
    const { kvs } = await rig.node.ports.store.list({ prefix: '' }, call);
    expect(JSON.stringify(kvs)).not.toContain(token);
    expect((kvs.find(({ key }) => key === keys.token('kept'))!.value as TokenRecord).hash).toMatch(
      /^[0-9a-f]{64}$/,
    );
    expect((await rig.ask('GET', '/v1/tokens')).text).not.toContain(token);
  });

  test('a name is given once', async () => {
    const again = await rig.ask('POST', '/v1/tokens', json({ name: 'kept', scope: 'read' }));
    expect([again.status, problemView.parse(again.json).code]).toEqual([409, 'HM-TOKEN-EXISTS']);
  });

  test('one that somebody else wrote into the store opens too, and ends with it', async () => {
    const key = keys.token('other');
    const { createHash } = await import('node:crypto');
    const token = 'hmt_other';
    const value: TokenRecord = {
      name: 'other',
      scope: 'read',
      hash: createHash('sha256').update(token).digest('hex'),
      createdAt: 1,
    };
    const write = (requestId: string, then: Parameters<typeof rig.node.ports.store.txn>[0]['then']) =>
      rig.node.ports.store.txn({ requestId, compare: [], then }, call);
    await write('put', [{ op: 'put', key, value }]);
    await until('it opens', async () => (await asked(token, 'GET', '/livez')).status === 200);
    await write('delete', [{ op: 'delete', key }]);
    await until('it ends', async () => (await asked(token, 'GET', '/livez')).status === 401);
  });
});
