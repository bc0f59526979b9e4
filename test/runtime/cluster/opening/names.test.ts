/** Whose a name is: refused while its owner lives, free when it is gone, and what becomes of an owner who comes back. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { MemberRecord } from '../../../../protocols/cluster/rows.ts';
import { coded } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';
import { keys } from '../../../../protocols/state/keys.ts';
import type { OpenedAgent } from '../../../../runtime/cluster/opening/agent.ts';
import { roleHere } from '../../../../runtime/cluster/opening/role.ts';
import type { OpenedCluster } from '../../../../runtime/cluster/opening/server.ts';
import { call } from '../../../conformance/state-store/rig.ts';
import { until } from '../../../kit/until.ts';
import { refusalOf } from '../joining/desk.ts';
import { ClusterTown, statusOf, type Machine } from './town.ts';

let town: ClusterTown;
let first: Machine;
let second: Machine;
let server: OpenedCluster;
beforeEach(async () => {
  town = new ClusterTown();
  [first, second] = [await town.machine('n1'), await town.machine('n2')];
  server = await town.server(first, await town.address());
}, 60_000);
afterEach(() => town.end(), 60_000);

const joined = (machine: Machine = second): Promise<OpenedAgent> => town.joined(server, machine);

test('a name that another node has is refused, until that one has left', async () => {
  const agent = await joined();
  const twin = await town.machine('n2');
  expect(await refusalOf(joined(twin))).toMatchObject({ code: 'HM-NODE-NAME-TAKEN' });
  await agent.handle.care!.leave();
  await agent.handle.care!.left;
  expect(await refusalOf(agent.store.get({ key: keys.cluster }, call()))).toMatchObject({
    code: 'HM-CLUSTER-CERTIFICATE',
    message: expect.stringContaining('it has left'),
  });
  expect(await agent.handle.care!.left).toBeUndefined();
  await agent.close();
  const successor = await joined(twin);
  expect(successor.handle.self.id).not.toBe(agent.handle.self.id);
  // Who left is known no more: it may come again with a token.
  expect(await refusalOf(town.agent(second, { clusterAddress: await town.address() }))).toMatchObject({
    code: 'HM-CLUSTER-JOIN',
  });
}, 90_000);

test('a name of who joined and never came is free once it had the time to be heard', async () => {
  const { id } = server.handle.self;
  const key = keys.member('n2');
  const { kv } = await town.store.get({ key: keys.member('n1') });
  const ghost = {
    ...(kv!.value as object),
    name: 'n2',
    id: id.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
    role: 'agent',
    joinedAt: Date.now() - 2 * limits.unheardMs,
  };
  await town.store.txn({ requestId: 'ghost', compare: [], then: [{ op: 'put', key, value: ghost }] }, call());
  expect(await refusalOf(joined())).toMatchObject({ code: 'HM-NODE-NAME-TAKEN' });
  first.olderMs = limits.unheardMs;
  const agent = await joined();
  expect((await town.store.get({ key })).kv?.value).toMatchObject({ id: agent.handle.self.id });
}, 90_000);

test('a dead node gives its name to who comes with another key', async () => {
  const agent = await joined();
  await until('the server sees the agent', () => statusOf(server, 'n2') === 'alive');
  await agent.close();
  await until('the server takes it for dead', () => statusOf(server, 'n2') === 'dead');
  const twin = await town.machine('n2');
  const successor = await joined(twin);
  await until('the server sees the new one', () =>
    server.handle.membership
      .members()
      .some(({ id, status }) => id === successor.handle.self.id && status === 'alive'),
  );
  // The former owner's machine is repaired, and its certificate is good for days.
  const clusterAddress = await town.address();
  const former = await town.agent(second, { clusterAddress });
  const { id } = successor.handle.self;
  expect(await former.handle.care!.left).toMatchObject({
    code: 'HM-NODE-NAME-LOST',
    message: expect.stringContaining(id),
    hint: expect.stringContaining('--token-file'),
  });
  const standing = () =>
    server.handle.membership.members().find((member) => member.id === agent.handle.self.id)?.status;
  await until('the server hears that it left', () => standing() === 'left');
  expect(await Promise.race([successor.handle.care!.left, Promise.resolve('still a member')])).toBe(
    'still a member',
  );
  await former.close();
  // Nor does it begin a cluster of its own, as a node would that was given nothing.
  expect(
    roleHere(second.folder, { clusterAddress, role: 'auto', membershipProfile: 'fast', labels: {} }),
  ).toBe('agent');
  expect(await refusalOf(town.agent(second, { clusterAddress }))).toMatchObject({
    code: 'HM-NODE-NAME-LOST',
    message: expect.stringContaining(id),
  });
  expect(await refusalOf(joined())).toMatchObject({ code: 'HM-NODE-NAME-TAKEN' });
  const renamed = await joined({ ...second, name: 'n9' });
  await until('it is there under another name', () => statusOf(server, 'n9') === 'alive');
  expect(renamed.handle.self.id).toBe(agent.handle.self.id);
}, 90_000);

test('who has lost its name joins again with another token alone, though the other node is dead by now', async () => {
  const tokenFile = await town.tokenOf(server, second);
  // As in the unit of a service: the same at each start.
  const settings = { clusterAddress: await town.address(), join: [server.handle.self.address], tokenFile };
  const agent = await town.agent(second, settings);
  await until('the server sees the agent', () => statusOf(server, 'n2') === 'alive');
  const ops = [{ op: 'delete', key: keys.member('n2') }] as const;
  await town.store.txn({ requestId: 'remove', compare: [], then: ops }, call());
  const successor = await joined(await town.machine('n2'));
  await agent.handle.care!.left;
  await agent.close();
  await successor.close();
  const standing = () =>
    server.handle.membership.members().find(({ id }) => id === successor.handle.self.id)?.status;
  await until('the server takes the other one for dead', () => standing() === 'dead');
  expect(await refusalOf(town.agent(second, settings))).toMatchObject({
    code: 'HM-NODE-NAME-LOST',
    message: expect.stringContaining('the same token'),
    hint: expect.stringContaining('hivemind cluster token'),
  });
  expect((await joined()).handle.self.id).toBe(agent.handle.self.id);
}, 90_000);

test('who runs while its name goes to another hears of it, though its connection stands', async () => {
  const agent = await joined();
  await until('the server sees the agent', () => statusOf(server, 'n2') === 'alive');
  const ops = [{ op: 'delete', key: keys.member('n2') }] as const;
  await town.store.txn({ requestId: 'remove', compare: [], then: ops }, call());
  const successor = await joined(await town.machine('n2'));
  expect(await agent.handle.care!.left).toMatchObject({ code: 'HM-NODE-NAME-LOST' });
  const events: string[] = [];
  agent.handle.care!.onEvent(({ type }) => events.push(type));
  expect(events).toContain('cluster.name-lost');
  const vouched = ({ handle }: OpenedCluster): number | undefined =>
    server.handle.membership.members().find(({ id }) => id === handle.self.id)?.vouchedUntil;
  await until('the server sees the new one', () => vouched(successor) !== undefined);
  // By that, views know which of two is the one by now.
  expect(vouched(successor)).toBeGreaterThanOrEqual(vouched(agent)!);
}, 90_000);

test('a server that comes up on the store of another cluster makes nobody leave, lets nobody in and writes nothing there', async () => {
  const agent = await joined();
  await agent.close();
  const third = await town.machine('n3');
  const tokenFile = await town.tokenOf(server, third);
  await server.close();
  const own = town.store;
  const elsewhere = new ClusterTown();
  try {
    // Of the same names, and newer.
    const others = await elsewhere.server(await elsewhere.machine('n1'), await elsewhere.address());
    await elsewhere.joined(others, await elsewhere.machine('n2'));
    town.store = elsewhere.store;
    server = await town.server(first, server.handle.self.address);
    const before = await elsewhere.store.status();
    const again = await town.agent(second, { clusterAddress: agent.handle.self.address });
    const foreign = { code: 'HM-STORE-FOREIGN', evidence: { cluster: server.handle.self.label } };
    const isTold = () => town.debug.some((text) => text.includes('the store does not hold the cluster'));
    await until('it hears why it is told no keys', isTold);
    expect(await refusalOf(again.store.get({ key: keys.cluster }, call()))).toMatchObject(foreign);
    expect(await refusalOf(again.handle.care!.leave())).toMatchObject(foreign);
    const joins = town.agent(third, {
      clusterAddress: await town.address(),
      join: [server.handle.self.address],
      tokenFile,
    });
    expect(await refusalOf(joins)).toMatchObject({ code: foreign.code });
    const { createToken, revokeToken, rotateKeys } = server.handle.care!;
    for (const change of [createToken({ ttlMs: 60_000, uses: 1 }), revokeToken('0'), rotateKeys()])
      expect(await refusalOf(change)).toMatchObject(foreign);
    const events: string[] = [];
    again.handle.care!.onEvent(({ type }) => events.push(type));
    expect(events).not.toContain('cluster.name-lost');
    expect((await elsewhere.store.status()).position).toEqual(before.position);
    await until('the server sees it', () => statusOf(server, 'n2') === 'alive');
    await again.close();
    await server.close();
  } finally {
    town.store = own;
    await elsewhere.end();
  }
}, 90_000);

test.each(['its name is lost', 'it is told to leave'])(
  '%s: that is kept, though it cannot be said to the others',
  async (how) => {
    const agent = await joined();
    await until('the server sees the agent', () => statusOf(server, 'n2') === 'alive');
    const farewell = vi
      .spyOn(agent.handle.membership, 'leave')
      .mockRejectedValue(coded('HM-MEMBERSHIP-DOWN'));
    if (how === 'it is told to leave') await agent.handle.care!.leave();
    else {
      const ops = [{ op: 'delete', key: keys.member('n2') }] as const;
      await town.store.txn({ requestId: 'remove', compare: [], then: ops }, call());
      await joined(await town.machine('n2'));
    }
    await agent.handle.care!.left;
    expect(farewell).toHaveBeenCalledOnce();
    const news = { keys: [Buffer.alloc(32)] };
    const told = server.handle.calls.call(agent.handle.self, 'ring.news', news, {
      timeoutMs: limits.writeMs,
    });
    expect(await refusalOf(told)).toMatchObject({ code: 'HM-PEER-REFUSED' });
    await agent.close();
    const again = town.agent(second, { clusterAddress: await town.address() });
    expect(await refusalOf(again)).toMatchObject({
      code: how === 'it is told to leave' ? 'HM-CLUSTER-JOIN' : 'HM-NODE-NAME-LOST',
    });
  },
  90_000,
);

test.each([
  ['does not know the name', undefined, 'it has left'],
  ['knows who had the name before', -10_000, "another node's"],
])(
  'a server on an older store, that %s, makes no agent leave',
  async (_what, earlierMs, told) => {
    const agent = await joined();
    await until('the server sees the agent', () => statusOf(server, 'n2') === 'alive');
    await agent.close();
    const key = keys.member('n2');
    const row = (await town.store.get({ key })).kv!.value as MemberRecord;
    const before = { ...row, id: '0'.repeat(32), joinedAt: row.joinedAt + (earlierMs ?? 0) };
    const op =
      earlierMs === undefined ? { op: 'delete' as const, key } : { op: 'put' as const, key, value: before };
    await town.store.txn({ requestId: 'older', compare: [], then: [op] }, call());
    const again = await town.agent(second, { clusterAddress: agent.handle.self.address });
    const events: string[] = [];
    again.handle.care!.onEvent(({ type }) => events.push(type));
    await until('it is refused', () => town.debug.some((text) => text.includes(told)));
    expect(events).not.toContain('cluster.name-lost');
    await until('the server sees it', () => statusOf(server, 'n2') === 'alive');
  },
  90_000,
);
