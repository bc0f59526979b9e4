/** Membership in threads of its own, over UDP: a main thread that hangs, a thread that dies. */
import { afterEach, expect, test } from 'vitest';
import { timesOf } from '../../../protocols/membership/profile.ts';
import { threadCluster, type ThreadNode } from '../../kit/cluster/threads.ts';
import { until } from '../../kit/until.ts';

const opened: ThreadNode[] = [];
afterEach(async () => {
  for (const node of opened.splice(0)) await node.close();
});

async function three(): Promise<readonly [ThreadNode, ThreadNode, ThreadNode]> {
  const cluster = threadCluster();
  const times = timesOf.lan;
  const n1 = await cluster.start('n1', { times });
  const n2 = await cluster.start('n2', { times, seeds: [n1.address] });
  const n3 = await cluster.start('n3', { times, seeds: [n1.address] });
  opened.push(n1, n2, n3);
  await until('all see all', () => opened.every(({ membership }) => membership.members().length === 3));
  return [n1, n2, n3];
}

/** Nothing of this thread runs; it takes no processor either. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

const whats = ({ changes }: ThreadNode): readonly string[] => changes.map(({ what }) => what);

test('a main thread that is blocked for 2 s makes nobody suspect anybody; for 6 s it is stalled, and ready again', async () => {
  const nodes = await three();
  block(2_000);
  const before = performance.now();
  await until('the threads have gone on since', () => performance.now() - before > 1_000);
  for (const node of nodes) expect(whats(node).filter((what) => what !== 'joined')).toEqual([]);
  block(6_000);
  // What the threads told each other meanwhile lies in the queue of this one.
  await until('all are ready again', () =>
    nodes.every((node) => whats(node).filter((what) => what === 'described').length >= 4),
  );
  for (const node of nodes) {
    const described = node.changes.filter(({ what }) => what === 'described');
    expect(described.slice(0, 2).map(({ member }) => member.condition)).toEqual(['stalled', 'stalled']);
    expect(described.slice(-2).map(({ member }) => member.condition)).toEqual(['ready', 'ready']);
    expect(whats(node)).not.toContain('suspected');
  }
});

test('a thread that dies is followed by another, which knows all members again and tells nothing twice', async () => {
  const [n1, n2] = await three();
  await until('n1 told of both', () => n1.events.filter(({ type }) => type === 'member.joined').length === 2);
  // No digest: the core fails over it, as over any defect.
  n1.membership.tellDigest(null as never);
  await until('its end is told', () => n1.events.some(({ type }) => type === 'membership.failed'));
  // Who asks meanwhile sees what was last known.
  expect((await n1.membership.look()).map(({ name }) => name)).toEqual(['n1', 'n2', 'n3']);
  await until('n2 sees its next life', () => n2.changes.some(({ what }) => what === 'restarted'));
  await until('it sees both again', async () => {
    const tree = await n1.membership.actors.tree();
    return tree.filter(({ machine, phase }) => machine === 'member' && phase === 'alive').length === 2;
  });
  expect(n1.membership.members()[0]).toMatchObject({ name: 'n1', incarnation: { boot: 2 } });
  expect(n1.events.filter(({ type }) => type === 'member.joined')).toHaveLength(2);
  expect(n1.events.find(({ type }) => type === 'membership.failed')).toMatchObject({
    level: 'error',
    reason: { code: 'HM-MEMBERSHIP-DOWN' },
  });
});

test('a port that is taken is refused before anything runs', async () => {
  const cluster = threadCluster();
  const n1 = await cluster.start('n1');
  opened.push(n1);
  await expect(cluster.start('n2', { address: n1.address })).rejects.toMatchObject({
    reason: { code: 'HM-CLUSTER-LISTEN' },
  });
});
