/** `cluster`: what is sent, and what is printed. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { NodeDouble } from '../kit/node-double.ts';
import { run, startMs, type Ran } from '../kit/run.ts';
import { shopNode } from '../kit/shop.ts';

let node: NodeDouble;
beforeEach(async () => {
  node = shopNode();
  await node.listen();
});
afterEach(() => node.close());

const hive = (...args: string[]): Promise<Ran> => run(args, { socket: node.socket });

test('a join token is printed alone, with its end and its uses as asked', async () => {
  node.on('POST /v1/cluster/join-tokens', () => ({ token: 'hm1.x', uses: 20 }));
  const made = await hive('cluster', 'token', '--ttl', '12h', '--uses', '20');
  expect(made).toMatchObject({ code: 0, stdout: 'hm1.x\n' });
  const [asked] = node.requests.filter(({ method }) => method === 'POST');
  expect(JSON.parse(asked!.body.toString())).toEqual({ ttlS: 43_200, uses: 20 });
  const store = { revision: 7, phase: 'trusted' };
  node.on('GET /v1/cluster', () => ({ place: { address: '10.0.0.1:4484' }, leader: 'n1', store }));
  expect((await hive('cluster', 'token')).stderr).toContain('--join 10.0.0.1:4484 --token-file');
  expect((await hive('cluster', 'token', '--ttl', 'soon')).code).toBe(2);
  expect((await hive('cluster', 'token', '--uses', '0')).code).toBe(2);
});

test('join tokens are listed and revoked below the command that makes them', async () => {
  const token = { id: 'abc', createdAt: startMs, expiresAt: startMs - 1, expired: true, uses: 5, used: 2 };
  node.on('GET /v1/cluster/join-tokens', () => ({ tokens: [token] }));
  node.on('DELETE /v1/cluster/join-tokens/abc', () => ({}));
  expect((await hive('cluster', 'token', 'ls')).stdout).toMatch(/abc\s+2 of 5\s+\S+\s+expired/);
  expect(await hive('cluster', 'token', 'revoke', 'abc')).toMatchObject({ code: 0 });
});

test('a node alone, and one whose store does not answer', async () => {
  const store = { revision: 7, phase: 'trusted' };
  node.on('GET /v1/cluster', () => ({ nodes: 1, leader: 'n1', store }));
  expect((await hive('cluster', 'status')).stdout).toMatch(/n1, alone.*\n.*revision 7, trusted/);
  const place = {
    label: 'c0ffee',
    id: '0f',
    name: 'n2',
    role: 'agent',
    address: '10.0.0.2:4484',
    server: { name: 'n1', address: '10.0.0.1:4484' },
    members: { alive: 1, suspected: 1, dead: 0, left: 0 },
    certificate: { from: startMs, until: startMs + 86_400_000 },
    gossipKeys: ['aa', 'bb'],
  };
  const reason = { code: 'HM-STORE-DOWN', message: 'it is silent' };
  node.on('GET /v1/cluster', () => ({ place, nodes: 2, leader: 'n1', store: { phase: 'silent', reason } }));
  const { stdout } = await hive('cluster', 'status');
  expect(stdout).toContain('n2 (agent) at 10.0.0.2:4484');
  expect(stdout).toContain('n1 at 10.0.0.1:4484; the only one: no failover yet');
  expect(stdout).toContain('API at an address that it has not told');
  const server = { ...place.server, apiAddress: '127.0.0.1:4483' };
  node.on('GET /v1/cluster', () => ({ place: { ...place, server }, leader: 'n1', store }));
  expect((await hive('cluster', 'status')).stdout).toContain(
    'API at 127.0.0.1:4483 of its machine; from elsewhere: ssh -fNL 14483:127.0.0.1:4483 10.0.0.1',
  );
  expect(stdout).toContain('1 alive, 1 suspected');
  expect(stdout).toContain('it is silent (HM-STORE-DOWN)');
});

test('an exchange of keys says which key is used now, and who was left out', async () => {
  node.on('POST /v1/cluster/rotate', () => ({ gossipKeys: ['c0ffee'], leftOut: [] }));
  expect(await hive('cluster', 'rotate')).toMatchObject({
    code: 0,
    stdout: 'the gossip uses the key c0ffee\n',
    stderr: '',
  });
  node.on('POST /v1/cluster/rotate', () => ({ gossipKeys: ['c0ffee'], leftOut: ['n4', 'n5'] }));
  expect((await hive('cluster', 'rotate')).stderr).toContain('n4, n5');
});
