/** A server and its agents as they are opened by a daemon: joined, restarted, moved, expired, mistaken, gone. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { limits } from '../../../../protocols/limits.ts';
import { keys } from '../../../../protocols/state/keys.ts';
import {
  createMemoryStore,
  type MemoryStore,
} from '../../../../runtime/drivers/store/memory/memory-store.ts';
import { realClock } from '../../../../runtime/world/real-clock.ts';
import { realRandom } from '../../../../runtime/world/real-random.ts';
import type { OpenedAgent } from '../../../../runtime/cluster/opening/agent.ts';
import type { OpenedCluster } from '../../../../runtime/cluster/opening/server.ts';
import { ringKey } from '../../../../transport/secure/key-ring.ts';
import { call } from '../../../conformance/state-store/rig.ts';
import { until } from '../../../kit/until.ts';
import { refusalOf } from '../joining/desk.ts';
import { ClusterTown, statusOf, type Machine } from './town.ts';

const day = 86_400_000;

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

const seeds = (): { join: { host: string; port: number }[] } => ({ join: [server.handle.self.address] });

const joined = (machine: Machine = second): Promise<OpenedAgent> => town.joined(server, machine);

test('an agent has its store at the server, and both see each other alive', async () => {
  const agent = await joined();
  const { kv } = await agent.store.get({ key: keys.cluster }, call());
  expect(kv?.value).toMatchObject({ label: agent.handle.self.label });
  expect(await refusalOf(agent.store.get({ key: keys.app('shop') }, call()))).toMatchObject({
    code: 'HM-STORE-DENIED',
  });
  await until(
    'both see each other',
    () => statusOf(server, 'n2') === 'alive' && statusOf(agent, 'n1') === 'alive',
  );
  expect(await refusalOf(agent.handle.care!.createToken({ ttlMs: 1, uses: 1 }))).toMatchObject({
    code: 'HM-CLUSTER-AGENT',
    evidence: { server: 'n1' },
  });
}, 60_000);

test('a new gossip key is used by all, and who was away is told when it is back', async () => {
  const agent = await joined();
  await until('the server sees the agent', () => statusOf(server, 'n2') === 'alive');
  const [before] = server.handle.care!.gossipKeys();
  await server.handle.care!.rotateKeys();
  const [after] = server.handle.care!.gossipKeys();
  expect(after).not.toBe(before);
  expect(agent.handle.care!.gossipKeys()).toEqual([after]);
  await agent.close();
  await until('the server takes it for dead', () => statusOf(server, 'n2') === 'dead');
  await server.handle.care!.rotateKeys();
  const again = await town.agent(second, { clusterAddress: agent.handle.self.address });
  const [newest] = server.handle.care!.gossipKeys();
  await until('the agent has the newest key', () => again.handle.care!.gossipKeys()[0] === newest);
  await until('the server sees it again', () => statusOf(server, 'n2') === 'alive');
}, 120_000);

test('an agent with a full disk uses new keys, and does not say that it has them until they are kept', async () => {
  const agent = await joined();
  await until('the server sees the agent', () => statusOf(server, 'n2') === 'alive');
  const { care } = server.handle;
  const [before] = care!.gossipKeys();
  const used = vi.spyOn(agent.handle.membership, 'rotate');
  second.isFull = true;
  for (const _time of [1, 2])
    expect(await refusalOf(care!.rotateKeys())).toMatchObject({
      code: 'HM-GOSSIP-KEY',
      message: expect.stringContaining('no room for'),
    });
  // Nobody goes on to the next step, and it understands the others in this one.
  expect([care!.gossipKeys()[0], used.mock.calls.map(([ring]) => ring.length)]).toEqual([before, [2]]);
  second.isFull = false;
  await care!.rotateKeys();
  expect(agent.handle.care!.gossipKeys()).toEqual(care!.gossipKeys());
  expect(used.mock.calls.map(([ring]) => ring.length)).toEqual([2, 2, 1]);
  const text = await readFile(join(second.folder, 'cluster', 'given.json'), 'utf8');
  const { issued } = JSON.parse(text) as { readonly issued: { readonly gossipKeys: readonly string[] } };
  expect(issued.gossipKeys.map((key) => ringKey(Buffer.from(key, 'base64')).name)).toEqual(
    care!.gossipKeys(),
  );
}, 60_000);

test('an exchange of keys leaves out who is alive and in no row of the registry', async () => {
  const agent = await joined();
  const third = await joined(await town.machine('n3'));
  await until(
    'the server sees both',
    () => statusOf(server, 'n2') === 'alive' && statusOf(server, 'n3') === 'alive',
  );
  const [before] = server.handle.care!.gossipKeys();
  // As of a machine that was removed while it was cut off.
  const ops = [{ op: 'delete', key: keys.member('n2') }] as const;
  await town.store.txn({ requestId: 'remove', compare: [], then: ops }, call());
  expect(await server.handle.care!.rotateKeys()).toEqual(['n2']);
  const [newest] = server.handle.care!.gossipKeys();
  expect(third.handle.care!.gossipKeys()).toEqual([newest]);
  expect(agent.handle.care!.gossipKeys()).toEqual([before]);
  await until('it cannot read the others, asks, and is refused', () =>
    town.debug.some((text) => text.includes('the node n2 is no member of the cluster any more: it has left')),
  );
  expect(agent.handle.care!.gossipKeys()).toEqual([before]);
}, 90_000);

test('who was taken for dead while a key was exchanged, and kept its connection, asks when it cannot read the others', async () => {
  const agent = await joined();
  await until('the server sees the agent', () => statusOf(server, 'n2') === 'alive');
  const seen = vi.spyOn(server.handle.membership, 'members').mockReturnValue([]);
  const told = vi.spyOn(server.handle.calls, 'call');
  await server.handle.care!.rotateKeys();
  seen.mockRestore();
  const [newest] = server.handle.care!.gossipKeys();
  expect(told.mock.calls.map(([, type]) => type)).not.toContain('ring.news');
  await until('the agent has the newest key', () => agent.handle.care!.gossipKeys()[0] === newest);
  await until('the server sees it', () => statusOf(server, 'n2') === 'alive');
}, 60_000);

test('an agent that restarts at another address needs no token, and is found there', async () => {
  const agent = await joined();
  await agent.close();
  const clusterAddress = await town.address();
  const again = await town.agent(second, { clusterAddress });
  expect(again.handle.self.id).toBe(agent.handle.self.id);
  const there = (): number | undefined =>
    server.handle.membership.members().find(({ name }) => name === 'n2')?.address.port;
  await until('the members know the new address', () => there() === clusterAddress.port);
  await until('the store does, too', async () => {
    const { kv } = await town.store.get({ key: keys.member('n2') });
    const row = kv?.value as { address: { port: number } } | undefined;
    return row?.address.port === clusterAddress.port;
  });
}, 60_000);

test('a server at another address is found by its agents', async () => {
  const agent = await joined();
  await until(
    'both see each other',
    () => statusOf(agent, 'n1') === 'alive' && statusOf(server, 'n2') === 'alive',
  );
  await server.close();
  server = await town.server(first, await town.address());
  const { port } = server.handle.self.address;
  await until('the agent knows where', () => agent.handle.server().address.port === port);
  await until('the agent reads its store', () =>
    agent.store.get({ key: keys.cluster }, call()).then(
      () => true,
      () => false,
    ),
  );
}, 90_000);

test('a certificate that has ended: said so, and a token makes it the same node again', async () => {
  const agent = await joined();
  await Promise.all([agent.close(), server.close()]);
  first.skewMs = 8 * day;
  second.skewMs = 8 * day;
  // The server makes itself a new one.
  server = await town.server(first, await town.address());
  const clusterAddress = await town.address();
  expect(await refusalOf(town.agent(second, { clusterAddress, ...seeds() }))).toMatchObject({
    code: 'HM-CLUSTER-CERTIFICATE',
    message: expect.stringContaining('ended at'),
    hint: expect.stringContaining('hivemind cluster token'),
  });
  const again = await joined();
  expect(again.handle.self.id).toBe(agent.handle.self.id);
}, 60_000);

test('a clock that is an hour off is said at the join, and by what connections are refused with', async () => {
  second.skewMs = 3_600_000;
  const tokenFile = await town.tokenOf(server, second);
  const settings = { clusterAddress: await town.address(), ...seeds(), tokenFile };
  expect(await refusalOf(town.agent(second, settings))).toMatchObject({ code: 'HM-CLUSTER-CLOCK' });
  second.skewMs = 0;
  const agent = await town.agent(second, settings);
  await agent.close();
  second.skewMs = 3_600_000;
  const again = await town.agent(second, settings);
  const asked = again.handle.calls.call(again.handle.server(), 'ring.get', {}, { timeoutMs: limits.joinMs });
  expect(await refusalOf(asked)).toMatchObject({ code: 'HM-CLUSTER-CLOCK' });
}, 60_000);

test('a certificate of another cluster does not open this one', async () => {
  const other = new ClusterTown();
  try {
    const stranger = await other.machine('n1');
    const elsewhere = await other.server(stranger, await other.address());
    const guest = await other.machine('n7');
    const tokenFile = await other.tokenOf(elsewhere, guest);
    const join7 = [elsewhere.handle.self.address];
    const member = await other.agent(guest, {
      clusterAddress: await other.address(),
      join: join7,
      tokenFile,
    });
    await member.close();
    // As when somebody copies a folder and an address: it is led here.
    const path = join(guest.folder, 'cluster', 'given.json');
    const given = JSON.parse(await readFile(path, 'utf8')) as { server: { address: object; id: string } };
    const { id, address } = server.handle.self;
    const server1 = { ...given.server, id, address };
    await writeFile(path, JSON.stringify({ ...given, server: server1, seeds: [] }));
    const lost = await other.agent(guest, { clusterAddress: await other.address() });
    expect(await refusalOf(lost.store.get({ key: keys.cluster }, call()))).toMatchObject({
      code: 'HM-CLUSTER-FOREIGN',
    });
    expect(server.handle.membership.members().map(({ name }) => name)).toEqual(['n1']);
  } finally {
    await other.end();
  }
}, 90_000);

test('files that are damaged: the key ends the start, what was given is given again where a token is', async () => {
  const agent = await joined();
  await agent.close();
  const given = join(second.folder, 'cluster', 'given.json');
  await writeFile(given, (await readFile(given, 'utf8')).slice(0, 300));
  const clusterAddress = await town.address();
  expect(await refusalOf(town.agent(second, { clusterAddress }))).toMatchObject({ code: 'HM-CLUSTER-KEY' });
  const again = await joined();
  expect(again.handle.self.id).toBe(agent.handle.self.id);
  await again.close();
  const key = join(second.folder, 'cluster', 'node.key');
  await writeFile(key, (await readFile(key, 'utf8')).slice(0, 60));
  expect(await refusalOf(joined())).toMatchObject({ code: 'HM-CLUSTER-KEY' });
}, 60_000);

test('a node that starts before its server waits for it, and says so', async () => {
  const tokenFile = await town.tokenOf(server, second);
  const { address } = server.handle.self;
  await server.close();
  const joining = town.agent(second, { clusterAddress: await town.address(), join: [address], tokenFile });
  await until('it says that it waits', () => town.debug.some((text) => text.startsWith('not joined yet')));
  server = await town.server(first, address);
  expect((await joining).handle.self.role).toBe('agent');
}, 60_000);

test('a server without the key of its secrets serves on, and lets nobody in', async () => {
  const agent = await joined();
  const tokenFile = await town.tokenOf(server, second);
  await server.close();
  town.keys.ring = undefined;
  server = await town.server(first, server.handle.self.address);
  await until('the agent has its store', () =>
    agent.store.get({ key: keys.cluster }, call()).then(
      () => true,
      () => false,
    ),
  );
  const third = await town.machine('n3');
  const refused = town.agent(third, { clusterAddress: await town.address(), ...seeds(), tokenFile });
  expect(await refusalOf(refused)).toMatchObject({ code: 'HM-SECRET-KEY' });
}, 60_000);

test('a server that meets an empty store stays the server of its cluster, and makes no other there', async () => {
  await joined();
  const own = town.store;
  await server.close();
  town.store = createMemoryStore({ clock: realClock, random: realRandom });
  server = await town.server(first, server.handle.self.address);
  expect(server.handle.self.label).toBe(await labelIn(own));
  const { kvs } = await town.store.list({ prefix: '' });
  expect(kvs).toEqual([]);
  await server.close();
  await town.store.close();
  town.store = own;
  server = await town.server(first, server.handle.self.address);
  await until('the agent is seen again', () =>
    server.handle.membership.members().some(({ self, status }) => !self && status === 'alive'),
  );
}, 60_000);

test('a server that meets an older copy of its store serves on, and writes nothing there until that is confirmed', async () => {
  const agent = await joined();
  await first.follows!(1_000);
  const revision = async () => (await town.store.status()).position.revision;
  const before = await revision();
  await server.close();
  server = await town.server(first, server.handle.self.address);
  const token = () => server.handle.care!.createToken({ ttlMs: 60_000, uses: 1 });
  expect(await refusalOf(token())).toMatchObject({ code: 'HM-STORE-FOREIGN' });
  expect(await refusalOf(server.handle.care!.rotateKeys())).toMatchObject({ code: 'HM-STORE-FOREIGN' });
  await until('the agent has its store', () =>
    agent.store.get({ key: keys.cluster }, call()).then(
      () => true,
      () => false,
    ),
  );
  expect(await revision()).toBe(before);
  await first.follows!(0);
  expect(await token()).toMatchObject({ uses: 1 });
}, 60_000);

const labelIn = async (store: MemoryStore): Promise<unknown> =>
  ((await store.get({ key: keys.cluster })).kv?.value as { readonly label: string } | undefined)?.label;

test('nothing of a secret stands in clear text outside the files that only the owner reads', async () => {
  const agent = await joined();
  const token = await readFile(join(second.folder, 'token'), 'utf8');
  const given = await readFile(join(second.folder, 'cluster', 'given.json'), 'utf8');
  const { kvs } = await town.store.list({ prefix: '' });
  const shown = [
    JSON.stringify(kvs),
    town.debug.join('\n'),
    JSON.stringify(agent.handle.care!.certificate()),
  ];
  const { key } = JSON.parse(await readFile(join(second.folder, 'cluster', 'node.key'), 'utf8')) as {
    key: string;
  };
  const { issued } = JSON.parse(given) as { issued: { gossipKeys: string[] } };
  for (const secret of [token.split('.')[3]!, key, ...issued.gossipKeys])
    for (const text of shown) expect(text).not.toContain(secret);
  expect(given).not.toContain(token.split('.')[3]);
}, 60_000);
