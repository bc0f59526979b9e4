/** What a node's API answers of other nodes: their containers with the age of what is known, and what it cannot do there. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { reason } from '../../../../protocols/errors.ts';
import type { MemberStatus } from '../../../../protocols/membership/model.ts';
import type { Membership } from '../../../../protocols/membership/views/port.ts';
import type { HeardDigest, MemberChange, MemberView } from '../../../../protocols/membership/views/view.ts';
import { digestOf } from '../../../../protocols/observed/digest.ts';
import { endpointOf } from '../../../../protocols/observed/endpoints.ts';
import type { HeldSet, NodeFacts, NodeResources, Records } from '../../../../protocols/observed/model.ts';
import { answerPull, unpackRequest } from '../../../../protocols/observed/wire.ts';
import type { Calls } from '../../../../protocols/wire/calls.ts';
import { nodeView } from '../../../../runtime/api/schemas/nodes.ts';
import type { ClusterHandle } from '../../../../runtime/cluster/handle.ts';
import { knownNodes } from '../../../../runtime/observed/cluster-view.ts';
import { withApiPlace } from '../../../../runtime/observed/api-places.ts';
import { simulatedNotary } from '../../../../runtime/simulation/membership/notary.ts';
import { realClock } from '../../../../runtime/world/real-clock.ts';
import { seededRandom } from '../../../../runtime/world/seeded-random.ts';
import { createCalls } from '../../../../transport/calls/calls.ts';
import { MemoryStreams } from '../../../../transport/memory/streams.ts';
import { createRecordSeals } from '../../../../transport/secure/record-seals.ts';
import { statusOf } from '../../../kit/cluster/observed-town.ts';
import { until } from '../../../kit/until.ts';
import { apiRig, app, service, type ApiRig } from '../rig.ts';

const streams = new MemoryStreams(realClock, seededRandom(1));
const address = (index: number) => ({ host: `10.0.0.${index}`, port: 4_484 });
const slot = 'shop/cache.1';

const facts: NodeFacts = {
  hostname: 'h2',
  os: 'Debian',
  kernel: '6.1.0',
  architecture: 'arm64',
  cpus: 2,
  labels: { zone: 'b' },
  role: 'agent',
  version: '0.9.9',
  startedAt: 1,
  apiAddress: '127.0.0.1:4483',
};
const resources: NodeResources = {
  measuredAt: 1,
  load: 0.5,
  memoryBytes: 1_000,
  memoryUsedBytes: 400,
  diskBytes: 9_000,
  diskUsedBytes: 3_000,
  reserved: { cpus: 1, memoryBytes: 100 },
};

/** n2, whose actor is the test's: it has one container. */
let other: HeldSet;
let peer: Calls;
let heard: (digest: HeardDigest) => void;
let changed: (change: MemberChange) => void;
let status: MemberStatus = 'alive';
let rig: ApiRig;

function callsOf(index: number): Calls {
  const self = { id: `id${index}`, name: `n${index}`, role: index === 1 ? 'server' : 'agent' } as const;
  const link = streams.open(self, address(index));
  return createCalls({ self: { ...self, boot: 1 }, link, clock: realClock, random: seededRandom(index) });
}

const serverIs2 = () => ({ id: 'id2', name: 'n2', address: address(2) });

const member = (index: number): MemberView => ({
  id: `id${index}`,
  name: `n${index}`,
  address: address(index),
  zone: '',
  self: index === 1,
  status: index === 1 ? 'alive' : status,
  incarnation: { boot: 1, counter: 0 },
  condition: 'ready',
  vouchedUntil: 9_000,
  since: realClock.now(),
  suspectedBy: [],
  planes: { datagram: {}, stream: {} },
});
/** Who had the name of n2 before it, while it is back. */
let former: readonly MemberView[] = [];

const membership = {
  members: () => [member(1), member(2), ...former],
  look: () => Promise.resolve([member(1), member(2), ...former]),
  onChange: (notify: typeof changed) => {
    changed = notify;
    return () => {};
  },
  onBoot: () => () => {},
  onDigest: (notify: typeof heard) => {
    heard = notify;
    return () => {};
  },
  onEvent: () => () => {},
  tellDigest: () => {},
  traffic: () =>
    Promise.resolve({
      kinds: { ping: { sent: 5, received: 4 }, gossip: { sent: 9, received: 8 } },
      ...{ sentBytes: 500, receivedBytes: 400, failed: 1, refused: { replayed: 2 } },
      news: { waiting: 4, dropped: 3 },
    }),
} as unknown as Membership;

async function setOf(records: Records, sequence: number): Promise<HeldSet> {
  const seals = createRecordSeals(simulatedNotary('id2', 'n2'), () => realClock.now());
  const call = { key: 'k', signal: new AbortController().signal };
  const { at: signedAt, ...sealed } = await seals.seal({ boot: 1, sequence, records }, call);
  const version = { boot: 1, sequence, signedAt, name: 'n2', confirmedAt: 0, gone: [], floor: 0 };
  return { ...sealed, ...version, records };
}

beforeAll(async () => {
  const container = { ...statusOf(2, slot), ports: [] };
  const records: Records = {
    [`container/${slot}`]: { sequence: 1, value: container },
    [`endpoint/${slot}`]: { sequence: 1, value: { ...endpointOf(container, undefined)!, weight: 1 } },
    facts: { sequence: 1, value: facts },
    resources: { sequence: 1, value: resources },
  };
  other = await setOf(records, 1);
  peer = callsOf(2);
  peer.on('records.pull', (_from, body) => answerPull(other, unpackRequest(body)!));
  peer.on('records.compare', () => [null]);
  const self = { id: 'id1', name: 'n1', role: 'server', address: address(1), zone: '', label: 'x' } as const;
  const server = () => ({ id: 'id1', name: 'n1', address: address(1) });
  const notary = simulatedNotary('id1', 'n1');
  rig = await apiRig({ self, calls: callsOf(1), membership, notary, server } as unknown as ClusterHandle);
  await rig.deploy(app('shop', service('web')));
  heard({ digest: digestOf('id2', other), from: 'id2', address: address(2) });
  await until('the records of n2 are here', async () => (await slots()).length === 2);
});

afterAll(async () => {
  await rig.end();
  await peer.close();
});

interface Row {
  readonly slot: string;
  readonly node: string;
  readonly observedAt?: number;
  readonly nodeStatus?: string;
}

async function slots(query = ''): Promise<readonly Row[]> {
  const { json } = await rig.ask('GET', `/v1/containers${query}`);
  return (json as { slots: readonly Row[] }).slots;
}

test('containers of all nodes, those of others as of when', async () => {
  const [cache, web] = await slots();
  expect(web).toMatchObject({ slot: 'shop/web.1', node: 'n1' });
  expect(web).not.toHaveProperty('observedAt');
  expect(cache).toMatchObject({ slot, node: 'n2' });
  expect(cache!.observedAt).toBeGreaterThan(realClock.now() - 60_000);
  expect((await slots('?filter=node:n2')).map((row) => row.slot)).toEqual([slot]);
  const { status: code, json } = await rig.ask('GET', `/v1/containers/${encodeURIComponent(slot)}`);
  expect([code, json]).toMatchObject([200, { slot, node: 'n2' }]);
});

test.each([
  ['logs', 'GET', `/v1/containers/${encodeURIComponent(slot)}/logs`],
  ['what it uses', 'GET', `/v1/containers/${encodeURIComponent(slot)}/stats`],
  ['its pause', 'POST', `/v1/containers/${encodeURIComponent(slot)}/pause`],
])('%s of it are the other node’s to give: refused, with its name', async (_what, method, path) => {
  const { status: code, json } = await rig.ask(method, path);
  expect([code, json]).toMatchObject([
    421,
    {
      code: 'HM-SLOT-ELSEWHERE',
      hint: expect.stringMatching(/^ssh -fNL 14483:127\.0\.0\.1:4483 10\.0\.0\.2 and the same command/),
      reason: { evidence: { node: 'n2', slot, api: '127.0.0.1:4483' } },
    },
  ]);
});

test('the list of nodes has its machine, what it holds, and how old that is', async () => {
  const rows = async () => {
    const { json } = await rig.ask('GET', '/v1/nodes');
    return (json as { nodes: unknown[] }).nodes.map((row) => nodeView.parse(row));
  };
  // Its own machine is measured a moment after its start.
  await until('n1 has measured itself', async () => (await rows())[0]!.reserved !== undefined);
  const [n1, n2] = await rows();
  expect(n1).toMatchObject({ name: 'n1', reserved: { cpus: 0, memoryBytes: 0 } });
  expect(n1).not.toHaveProperty('observed');
  expect(n2).toMatchObject({
    name: 'n2',
    state: 'alive',
    slots: 1,
    running: 1,
    version: '0.9.9',
    apiAddress: '127.0.0.1:4483',
    machine: { cpus: 2, memoryBytes: 1_000, memoryFreeBytes: 600, labels: { zone: 'b' } },
    reserved: { cpus: 1, memoryBytes: 100 },
    observed: { version: { boot: 1, sequence: 1 } },
  });
  expect(n2!.observed!.at).toBeGreaterThan(realClock.now() - 60_000);
});

interface EndpointRow {
  readonly slot: string;
  readonly node: string;
  readonly usable: boolean;
  readonly nodeStatus?: string;
}

async function endpoints(query = ''): Promise<readonly EndpointRow[]> {
  const { json } = await rig.ask('GET', `/v1/endpoints${query}`);
  return (json as { endpoints: readonly EndpointRow[] }).endpoints;
}

test('endpoints of all nodes, those of others as of when; what a later version tells of them is left out', async () => {
  const [cache, web] = await endpoints();
  const ready = { ready: true, usable: true, placement: expect.any(Number), since: expect.any(Number) };
  expect(web).toMatchObject({ ...ready, slot: 'shop/web.1', app: 'shop', service: 'web', node: 'n1' });
  expect(web).not.toHaveProperty('observedAt');
  expect(cache).toMatchObject({ ...ready, slot, app: 'shop', service: 'cache', node: 'n2' });
  expect(cache).toMatchObject({ address: '10.42.2.1', ports: [], observedAt: expect.any(Number) });
  expect(cache).not.toHaveProperty('weight');
  expect((await endpoints('?filter=service:cache')).map((row) => row.node)).toEqual(['n2']);
  expect((await endpoints('?filter=node:n1')).map((row) => row.slot)).toEqual(['shop/web.1']);
});

test('the cluster’s answer says where the API of the server is, or nothing when it has not told', async () => {
  const { json } = await rig.ask('GET', '/v1/cluster');
  expect((json as { place: { server: object } }).place.server).toEqual({
    name: 'n1',
    address: '10.0.0.1:4484',
  });
  const asAgent = { ...rig.node, cluster: { ...rig.node.cluster!, server: serverIs2 } };
  const refusal = reason('HM-CLUSTER-AGENT', undefined, { server: 'n2' });
  expect(await withApiPlace(asAgent, refusal)).toMatchObject({
    hint: expect.stringMatching(/^ssh -fNL 14483:127\.0\.0\.1:4483 10\.0\.0\.2 and the same command/),
    evidence: { server: 'n2', api: '127.0.0.1:4483' },
  });
  expect((await withApiPlace(rig.node, refusal)).hint).toBe(
    'The same command on n1 (10.0.0.1), which told of no API address.',
  );
});

test('what passed between the nodes is counted: in the metrics, as a list, and of each connection', async () => {
  const { text } = await rig.ask('GET', '/metrics');
  const value = (line: string): number => {
    const found = text.split('\n').find((one) => one.startsWith(`${line} `));
    if (found === undefined) throw new Error(`no ${line} in\n${text}`);
    return Number(found.slice(line.length + 1));
  };
  expect(value('hivemind_nodes{state="alive"}')).toBe(2);
  expect(value('hivemind_peer_messages_sent_total{type="records.pull"}')).toBeGreaterThan(0);
  expect(value('hivemind_peer_calls_total{type="records.pull",outcome="answered"}')).toBeGreaterThan(0);
  expect(value('hivemind_peer_calls_total{type="records.pull",outcome="timed_out"}')).toBe(0);
  expect(value('hivemind_peer_received_bytes_total{type="records.pull"}')).toBeGreaterThan(100);
  expect(
    value('hivemind_peer_connections{state="idle"}') + value('hivemind_peer_connections{state="busy"}'),
  ).toBe(1);
  expect(value('hivemind_peer_queue_bytes')).toBe(0);
  expect(value('hivemind_datagrams_sent_total{kind="ping"}')).toBe(5);
  expect(value('hivemind_datagrams_refused_total{reason="replayed"}')).toBe(2);
  expect(value('hivemind_gossip_waiting')).toBe(4);
  expect(value('hivemind_gossip_dropped_total')).toBe(3);
  expect(value('hivemind_scrape_failed{part="datagrams"}')).toBe(0);
  const { json } = await rig.ask('GET', '/v1/cluster/traffic');
  const rows = (json as { traffic: readonly { type: string }[] }).traffic;
  expect(rows.find(({ type }) => type === 'ping')).toEqual({
    plane: 'datagram',
    ...{ type: 'ping', sent: 5, received: 4 },
  });
  expect(rows.find(({ type }) => type === 'gossip')).toEqual({
    plane: 'datagram',
    ...{ type: 'gossip', sent: 9, received: 8, failed: 3 },
  });
  expect(rows.find(({ type }) => type === 'records.pull')).toMatchObject({ plane: 'stream', failed: 0 });
  const shown = await rig.ask('GET', '/v1/nodes/n2');
  expect(shown.json).toMatchObject({ connection: { open: true, queuedFrames: 0 } });
});

test('what is nowhere is unknown, as ever', async () => {
  const { status: code, json } = await rig.ask('GET', '/v1/containers/shop%2Fnone.1/logs');
  expect([code, json]).toMatchObject([404, { code: 'HM-TARGET-UNKNOWN' }]);
});

test('a former owner of a name that lives again hides nothing of the node that has it', async () => {
  const back: MemberView = { ...member(2), id: 'id9', since: realClock.now() + 60_000, vouchedUntil: 8_000 };
  former = [back];
  changed({ what: 'joined', member: back });
  await until('it is known', async () => (await knownNodes(rig.node)).some(({ id }) => id === 'id9'));
  const { json } = await rig.ask('GET', '/v1/nodes');
  expect((json as { nodes: unknown[] }).nodes).toMatchObject([
    { name: 'n1' },
    { member: { id: 'id2' }, slots: 1 },
  ]);
  expect((await slots()).map((row) => row.node)).toEqual(['n2', 'n1']);
  expect((await endpoints()).map((row) => row.node)).toEqual(['n2', 'n1']);
  former = [];
  changed({ what: 'left', member: { ...back, status: 'left' }, before: 'alive' });
});

test('rows of a node that is suspected or dead say so; a later placement elsewhere stands before them', async () => {
  for (const next of ['suspected', 'dead'] as const) {
    status = next;
    changed({ what: next === 'dead' ? 'died' : 'suspected', member: member(2), before: 'alive' });
    await until(`n2 is shown ${next}`, async () => (await slots())[0]!.nodeStatus === next);
    // It is the last one of its service, and used until its node is held dead.
    expect((await endpoints())[0]).toMatchObject({ nodeStatus: next, usable: next === 'suspected' });
  }
  status = 'alive';
  changed({ what: 'recovered', member: member(2), before: 'dead' });
  await until('n2 is shown alive', async () => !('nodeStatus' in (await slots())[0]!));
  const value = { ...statusOf(2, 'shop/web.1', { placement: 900 }), ports: [] };
  other = await setOf({ ...other.records, 'container/shop/web.1': { sequence: 2, value } }, 2);
  heard({ digest: digestOf('id2', other), from: 'id2', address: address(2) });
  await until('the later one is shown', async () => (await slots())[1]!.node === 'n2');
  expect((await slots()).length).toBe(2);
});
