/** What another node does is refused with the command that asks that node, where a context leads there. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { reason } from '../../../../protocols/errors.ts';
import type { NodeDouble } from '../kit/node-double.ts';
import { run } from '../kit/run.ts';
import { shopNode } from '../kit/shop.ts';

let node: NodeDouble;
let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'hivemind-elsewhere-'));
  await mkdir(join(home, 'hivemind'));
  const contexts = { n2: { address: '127.0.0.1:1' } };
  await writeFile(join(home, 'hivemind', 'contexts.json'), JSON.stringify({ contexts }));
  const evidence = { slot: 'shop/web.1', node: 'n2', api: '127.0.0.1:4483' };
  const agent = { server: 'n2' };
  const place = { slot: 'shop/db.1', node: 'n3' };
  node = shopNode()
    .refuse(
      'GET /v1/containers/shop/web.1/logs',
      reason('HM-SLOT-ELSEWHERE', undefined, evidence, 'ssh there'),
    )
    .refuse('GET /v1/containers/shop/db.1/logs', reason('HM-SLOT-ELSEWHERE', undefined, place, 'ssh there'))
    .refuse('DELETE /v1/cluster/join-tokens/abc', reason('HM-CLUSTER-AGENT', undefined, agent, 'ssh there'));
  await node.listen();
});
afterAll(async () => {
  await node.close();
  await rm(home, { recursive: true });
});

const next = async (...args: string[]): Promise<string | undefined> => {
  const { stderr } = await run(args, { socket: node.socket, environment: { XDG_CONFIG_HOME: home } });
  return /^ {2}next {2}(.*)$/m.exec(stderr)?.[1];
};

test('the same command, told to go there; words are quoted as a shell needs them', async () => {
  expect(await next('logs', 'shop/web.1')).toBe('hivemind --context n2 logs shop/web.1');
  expect(await next('logs', '--grep', "it's late", 'shop/web.1')).toBe(
    `hivemind --context n2 logs --grep 'it'\\''s late' shop/web.1`,
  );
  expect(await next('cluster', 'token', 'revoke', 'abc')).toBe(
    'hivemind --context n2 cluster token revoke abc',
  );
});

test('whom the command asked is left out of it', async () => {
  expect(await next('logs', '--address', `unix://${node.socket}`, 'shop/web.1')).toBe(
    'hivemind --context n2 logs shop/web.1',
  );
});

test('without a context of that name the node’s own next step stands', async () => {
  expect(await next('logs', 'shop/db.1')).toBe('ssh there');
});
