/** `token` and `api`: what is sent, and what is printed. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { NodeDouble } from './kit/node-double.ts';
import { run, startMs, type Ran } from './kit/run.ts';
import { shopNode } from './kit/shop.ts';

let node: NodeDouble;
beforeEach(async () => {
  node = shopNode();
  await node.listen();
});
afterEach(() => node.close());

const hive = (...args: string[]): Promise<Ran> => run(args, { socket: node.socket });

test('a token is made with its scope and end, and printed alone', async () => {
  node.on('POST /v1/tokens', () => ({ name: 'ci', token: 'hmt_x' }));
  expect(await hive('token', 'create', 'ci', '--scope', 'write', '--expires', '90d')).toMatchObject({
    code: 0,
    stdout: 'hmt_x\n',
  });
  expect(JSON.parse(node.requests.at(-1)!.body.toString())).toEqual({
    name: 'ci',
    scope: 'write',
    expiresInS: 7_776_000,
  });
  expect((await hive('token', 'create', 'ci', '--expires', 'soon')).code).toBe(2);
});

test('tokens are listed with when they end, and revoked', async () => {
  const token = { name: 'ci', scope: 'read', createdAt: startMs, expiresAt: startMs - 1, expired: true };
  node.on('GET /v1/tokens', () => ({ tokens: [token] })).on('DELETE /v1/tokens/ci', () => ({}));
  expect((await hive('token', 'ls')).stdout).toMatch(/ci\s+read\s+\S+\s+expired/);
  expect(await hive('token', 'revoke', 'ci')).toMatchObject({ code: 0, stdout: 'ci is revoked\n' });
});

test('api sends what it is given and prints the answer', async () => {
  node.on('POST /v1/x', ({ body }) => ({ got: JSON.parse(body.toString()) as unknown }));
  const { code, stdout } = await hive('api', 'post', '/v1/x', '--body', '{"a":1}');
  expect([code, JSON.parse(stdout)]).toEqual([0, { got: { a: 1 } }]);
  node.on('GET /v1/x', () => ({ read: true }));
  expect(JSON.parse((await hive('api', '/v1/x')).stdout)).toEqual({ read: true });
  for (const wrong of [
    ['api', 'get'],
    ['api', 'fetch', '/v1/x'],
    ['api', 'get', 'v1/x'],
    ['api', 'post', '/v1/x', '--body', '{'],
  ])
    expect((await hive(...wrong)).code).toBe(2);
});
