/** What an agent may do at the store of its server: its own, and every other key with every operation is denied. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { reasonOf } from '../../../../../protocols/errors.ts';
import { limits } from '../../../../../protocols/limits.ts';
import { keys } from '../../../../../protocols/state/keys.ts';
import type { StoreOp, WatchNotice } from '../../../../../protocols/state/model.ts';
import { createRemoteSecrets } from '../../../../../runtime/cluster/remote-secrets.ts';
import { HeapClock } from '../../../../../runtime/world/heap-clock.ts';
import { seededRandom } from '../../../../../runtime/world/seeded-random.ts';
import { call } from '../../../../conformance/state-store/rig.ts';
import { RemoteRig } from './arm.ts';

const files = [{ kind: 'secret', source: 's', target: '/s', held: { name: 'apps/shop', version: 'v1' } }];

/** A row of every kind that the store has; what `n2` may see of it is listed below. */
const rows: Readonly<Record<string, unknown>> = {
  [keys.cluster]: { label: 'c' },
  [keys.member('n2')]: { name: 'n2' },
  [keys.member('n3')]: { name: 'n3' },
  [keys.joinToken('0123456789abcdef')]: { hash: 'h' },
  [keys.gossipRing]: { keys: [] },
  [keys.app('shop')]: {},
  [keys.revision('shop', 1)]: {},
  [keys.assignment('n2', 'shop/web.1')]: { spec: { files } },
  [keys.assignment('n3', 'shop/web.2')]: { spec: {} },
  [keys.placement('shop/web.1')]: 1,
  [keys.block('10.42.0.0/26')]: { node: 'n3', cidr: '10.42.0.0/26' },
  [keys.volume('shop', 'pages')]: { node: 'n3', app: 'shop', volume: 'pages', removing: true },
  [keys.volume('shop', 'mine')]: { node: 'n2', app: 'shop', volume: 'mine', removing: true },
  [keys.token('ci')]: { hash: 'h' },
  [keys.secret('password')]: {},
  [keys.sealed('apps/shop', 'v1')]: { body: 'b' },
  [keys.sealed('apps/shop', 'v2')]: { body: 'b' },
  [keys.sealed('cluster/authority', '1')]: { body: 'b' },
};
const readable = [
  keys.cluster,
  keys.member('n2'),
  keys.assignment('n2', 'shop/web.1'),
  keys.block('10.42.0.0/26'),
  keys.volume('shop', 'pages'),
  keys.volume('shop', 'mine'),
  keys.sealed('apps/shop', 'v1'),
];
const listable = [keys.assignments('n2'), keys.blocks, keys.volumes];

let clock: HeapClock;
let rig: RemoteRig;
let agent: ReturnType<RemoteRig['node']>;
let requests = 0;

beforeEach(async () => {
  clock = new HeapClock();
  rig = new RemoteRig({ clock, random: seededRandom(5) });
  agent = rig.node(2, 'agent');
  for (const [key, value] of Object.entries(rows))
    void rig.store.txn({ requestId: key, compare: [], then: [{ op: 'put', key, value }] }, call());
  await clock.settle();
});
afterEach(() => rig.close());

/** `ok`, or the code of the refusal. */
async function outcome(answer: Promise<unknown>): Promise<string> {
  const told = answer.then(
    () => 'ok',
    (thrown: unknown) => reasonOf(thrown).code as string,
  );
  await clock.advance(10);
  return told;
}

const write = (then: readonly StoreOp[], compare: readonly string[] = []) =>
  agent.store.txn(
    {
      requestId: `request-${++requests}`,
      compare: compare.map((key) => ({ key, field: 'modRevision', equals: 0 })),
      then,
    },
    call(),
  );

async function watched(prefix: string): Promise<string> {
  const notices: WatchNotice[] = [];
  const stop = agent.store.watch({ prefix, after: { epoch: 1, revision: 0 } }, (notice) =>
    notices.push(notice),
  );
  await clock.advance(10);
  stop();
  const [first] = notices;
  return first?.type === 'failed' ? reasonOf(first.error).code : (first?.type ?? 'nothing');
}

test('reading: its own rows and what all nodes share', async () => {
  for (const key of Object.keys(rows)) {
    const wanted = readable.includes(key) ? 'ok' : 'HM-STORE-DENIED';
    expect([key, await outcome(agent.store.get({ key }, call()))]).toEqual([key, wanted]);
    expect([key, await outcome(write([], [key]))]).toEqual([key, wanted]);
  }
});

test('listing and watching: its assignments, blocks and volumes, and no prefix above them', async () => {
  const prefixes = new Set(['', ...listable, ...Object.keys(rows)]);
  for (const key of Object.keys(rows)) for (let at = 1; at < key.length; at++) prefixes.add(key.slice(0, at));
  for (const prefix of prefixes) {
    const may = listable.some((own) => prefix.startsWith(own));
    const list = await outcome(agent.store.list({ prefix }, call()));
    expect([prefix, list]).toEqual([prefix, may ? 'ok' : 'HM-STORE-DENIED']);
    expect([prefix, await watched(prefix)]).toEqual([prefix, may ? 'changed' : 'HM-STORE-DENIED']);
  }
});

test('writing: nothing of the rows that are there, but its volume that is to go', async () => {
  const { position } = await rig.store.status();
  for (const key of Object.keys(rows)) {
    expect([key, await outcome(write([{ op: 'put', key, value: { node: 'n2' } }]))]).toEqual([
      key,
      'HM-STORE-DENIED',
    ]);
    if (key === keys.volume('shop', 'mine')) continue;
    expect([key, await outcome(write([{ op: 'delete', key }]))]).toEqual([key, 'HM-STORE-DENIED']);
  }
  expect((await rig.store.status()).position).toEqual(position);
  expect(await outcome(write([{ op: 'delete', key: keys.volume('shop', 'mine') }]))).toBe('ok');
  expect((await rig.store.get({ key: keys.volume('shop', 'mine') })).kv).toBeUndefined();
});

test('a block is claimed for itself alone, and with one denied operation nothing is written', async () => {
  const key = keys.block('10.42.0.64/26');
  const claim = (node: string): StoreOp => ({ op: 'put', key, value: { node, cidr: '10.42.0.64/26' } });
  expect(await outcome(write([claim('n3')]))).toBe('HM-STORE-DENIED');
  expect(await outcome(write([claim('n2'), { op: 'put', key: keys.app('shop'), value: 1 }]))).toBe(
    'HM-STORE-DENIED',
  );
  expect((await rig.store.get({ key })).kv).toBeUndefined();
  expect(await outcome(write([claim('n2')], [key]))).toBe('ok');
  expect((await rig.store.get({ key })).kv?.value).toMatchObject({ node: 'n2' });
});

test('a write is bound to the row that was judged: who comes between keeps what he took', async () => {
  const key = keys.block('10.42.0.128/26');
  const theirs = { node: 'n3', cidr: '10.42.0.128/26' };
  rig.beforeWrite = () =>
    rig.store.txn({ requestId: 'n3', compare: [], then: [{ op: 'put', key, value: theirs }] }, call());
  const claim = write([{ op: 'put', key, value: { node: 'n2', cidr: '10.42.0.128/26' } }]);
  await clock.advance(50);
  expect(await claim).toMatchObject({ succeeded: false });
  expect((await rig.store.get({ key })).kv?.value).toEqual(theirs);
});

test('leases are not for agents', async () => {
  expect(await outcome(agent.store.grant({ ttlMs: 1_000 }, call()))).toBe('HM-STORE-DENIED');
  expect(await outcome(agent.store.keepAlive({ lease: 'l' }, call()))).toBe('HM-STORE-DENIED');
  expect(await outcome(agent.store.revoke({ lease: 'l' }, call()))).toBe('HM-STORE-DENIED');
  const put: StoreOp = { op: 'put', key: keys.block('10.42.1.0/26'), value: { node: 'n2' }, lease: 'l' };
  expect(await outcome(write([put]))).toBe('HM-STORE-DENIED');
});

test('a sealed value is opened for the node whose slot holds it, and for no other', async () => {
  const open = (from: typeof agent, name: string, version: string) =>
    createRemoteSecrets(from.calls, () => rig.server).open({ name, version, sealed: {} as never }, call());
  const told = open(agent, 'apps/shop', 'v1');
  await clock.advance(10);
  expect(await told).toEqual({ content: 'b3BlbmVk' });
  for (const [name, version] of [
    ['apps/shop', 'v2'],
    ['cluster/authority', '1'],
    ['nobody', 'v1'],
  ] as const)
    expect([name, await outcome(open(agent, name, version))]).toEqual([name, 'HM-STORE-DENIED']);
  expect(await outcome(open(rig.node(3, 'agent'), 'apps/shop', 'v1'))).toBe('HM-STORE-DENIED');
});

test('requests that are not in form are refused before anything is done', async () => {
  const ask = (type: string, body: unknown) =>
    outcome(agent.calls.call(rig.server, type, body, { timeoutMs: 1_000 }));
  for (const [type, body] of [
    ['store.get', {}],
    ['store.get', { key: 1 }],
    ['store.list', { prefix: keys.blocks, limit: -1 }],
    ['store.list', { prefix: keys.blocks, more: true }],
    ['store.txn', { requestId: 'r', compare: [], then: [{ key: 'a', value: 'no bytes' }] }],
    ['store.txn', { requestId: 'r', compare: [], then: Array(limits.storeTxnOps + 1).fill({ key: 'a' }) }],
    ['store.watch', { prefix: keys.blocks }],
    ['store.status', null],
  ] as const)
    expect([type, body, await ask(type, body)]).toEqual([type, body, 'HM-PEER-MESSAGE']);
  // Bytes that are no value of ours.
  const broken = { key: keys.block('10.42.2.0/26'), value: Uint8Array.of(0xc1) };
  expect(await ask('store.txn', { requestId: 'r', compare: [], then: [broken] })).toBe('HM-PEER-MESSAGE');
});
