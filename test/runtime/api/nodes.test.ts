/** The nodes of a cluster over the API of one of them: who is alive, who suspects whom, what each plane says. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeView, type NodeView } from '../../../runtime/api/schemas/nodes.ts';
import type { ActorView } from '../../../protocols/inspection.ts';
import { simulatedNotary } from '../../../runtime/simulation/membership/notary.ts';
import { agree, memberCluster, type ClusterNode } from '../../kit/cluster/members.ts';
import { apiRig, type ApiRig } from './rig.ts';

const cluster = memberCluster();
let nodes: ClusterNode[];
let rig: ApiRig;

beforeAll(async () => {
  nodes = [
    await cluster.start('1', { unheard: true }),
    await cluster.start('2'),
    await cluster.start('3'),
    await cluster.start('4'),
  ];
  await cluster.until('all see all', () => agree(nodes), 10_000);
  const [n1] = nodes as [ClusterNode];
  const address = { host: '10.0.0.1', port: 4_484 };
  rig = await apiRig({
    self: { id: n1.id, name: 'n1', role: 'server', address, zone: '', label: 'test' },
    calls: n1.calls,
    membership: n1.membership,
    notary: simulatedNotary(n1.id, 'n1'),
    server: () => ({ id: n1.id, name: 'n1', address }),
  });
});
afterAll(async () => {
  const ended = rig.end();
  // It says that it is away first, in the cluster's time.
  await cluster.clock.advance(2_000);
  await ended;
});

async function list(): Promise<readonly NodeView[]> {
  const { status, json } = await rig.ask('GET', '/v1/nodes');
  expect(status).toBe(200);
  return (json as { nodes: unknown[] }).nodes.map((row) => nodeView.parse(row));
}

test('all members are listed, the one that answers with its machine', async () => {
  const rows = await list();
  expect(rows.map(({ name, state, role, member }) => [name, state, role, member?.address])).toEqual([
    ['n1', 'alive', 'server', '10.0.0.1:4484'],
    ['n2', 'alive', 'agent', '10.0.0.2:4484'],
    ['n3', 'alive', 'agent', '10.0.0.3:4484'],
    ['n4', 'alive', 'agent', '10.0.0.4:4484'],
  ]);
  expect(rows.map(({ machine, member }) => [machine !== undefined, member?.self])).toEqual([
    [true, true],
    [false, false],
    [false, false],
    [false, false],
  ]);
});

test('a node is shown by its name, and an unknown one is refused with the names that are', async () => {
  const { json } = await rig.ask('GET', '/v1/nodes/n2');
  expect(nodeView.parse(json)).toMatchObject({ name: 'n2', boot: 1, member: { id: nodes[1]!.id } });
  const unknown = await rig.ask('GET', '/v1/nodes/n9');
  expect([unknown.status, unknown.text]).toEqual([404, expect.stringContaining('n1, n2, n3, n4')]);
});

test('events of members are in the log of the node, from before it listened', async () => {
  const { json } = await rig.ask('GET', '/v1/events?limit=100');
  const joined = (json as { events: { type: string; subject: string }[] }).events.filter(
    ({ type }) => type === 'member.joined',
  );
  expect(joined.map(({ subject }) => subject).sort()).toEqual(['n2', 'n3', 'n4']);
});

test('actors of the subtree stand among those of the node, and are shown', async () => {
  const { json } = await rig.ask('GET', '/v1/actors?limit=1000');
  const paths = (json as { actors: ActorView[] }).actors.map(({ path }) => path);
  expect(paths.filter((path) => path === '/')).toHaveLength(1);
  expect(paths).toContain('/membership/joiner');
  const member = paths.find((path) => path.startsWith('/membership/members/n2.'))!;
  const shown = await rig.ask('GET', `/v1/actors/show?path=${encodeURIComponent(member)}`);
  expect(shown.json).toMatchObject({ machine: 'member', phase: 'alive' });
  const lines = await rig.ask('GET', '/v1/actors/transcript?path=/membership&limit=5');
  expect(lines.text.trim().split('\n')).toHaveLength(5);
});

test('a suspected node says who suspects it, since when, and what each plane says; its name may come back', async () => {
  await cluster.kill(nodes[1]!);
  await cluster.until('n2 is suspected', () => nodes[0]!.sees()['n2'] === 'suspected', 5_000);
  const suspected = (await list()).find(({ name }) => name === 'n2')!;
  expect(suspected.state).toBe('suspected');
  expect(suspected.member!.suspectedBy.length).toBeGreaterThan(0);
  expect(suspected.member!.planes.datagram.failingSince).toBeGreaterThan(0);
  await cluster.until('n2 is dead', () => nodes[0]!.sees()['n2'] === 'dead', 10_000);
  // Another machine takes the name: it is the node of that name from now on.
  const id = 'e'.repeat(32);
  await cluster.start('2', { id, host: '10.0.2.2' });
  await cluster.until(
    'the new n2 is met',
    () => nodes[0]!.membership.members().some((view) => view.id === id),
    10_000,
  );
  const rows = (await list()).filter(({ name }) => name === 'n2');
  expect(rows).toMatchObject([{ state: 'alive', member: { id, address: '10.0.2.2:4484' } }]);
});
