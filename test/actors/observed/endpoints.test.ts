/** Endpoints of all nodes as each one sees them, while nodes hang, start anew, are cut off, die and leave. */
import { expect, test } from 'vitest';
import { limits } from '../../../protocols/limits.ts';
import type { ShownEndpoint } from '../../../runtime/observed/endpoint-view.ts';
import { nameOf, ObservedTown } from '../../kit/cluster/observed-town.ts';

/** The service `shop/web` has one replica on each node, `solo/db` one on n1 alone. */
async function settled(nodes: number): Promise<ObservedTown> {
  const town = new ObservedTown({ nodes });
  // After its slots have spoken for the first time.
  await town.run(100);
  for (let index = 0; index < nodes; index++) town.change(index, `shop/web.${index + 1}`, {});
  town.change(1, 'solo/db.1', {});
  expect(await town.runUntil(() => alike(town, nodes), 40_000), 'all show all').toBeDefined();
  return town;
}

/** `n1 shop/web.2 ready used`, … */
async function seen(town: ObservedTown, by: number): Promise<readonly string[]> {
  return (await town.endpoints(by)).map(text).sort();
}

const text = ({ node, slot, ready, usable, nodeStatus }: ShownEndpoint): string =>
  [node, slot, ready ? 'ready' : 'unready', usable ? 'used' : 'unused', nodeStatus ?? []].flat().join(' ');

const own = (index: number, more = 'ready used'): string => `${nameOf(index)} shop/web.${index + 1} ${more}`;

async function alike(town: ObservedTown, nodes: number): Promise<boolean> {
  const all = [...Array.from({ length: nodes }, (_, index) => own(index)), 'n1 solo/db.1 ready used'].sort();
  for (let by = 0; by < nodes; by++) if (String(await seen(town, by)) !== String(all)) return false;
  return true;
}

test('a container that is not ready any more is so everywhere within seconds, with since when', async () => {
  const town = await settled(3);
  const { now } = town;
  town.change(1, 'shop/web.2', { readiness: 'unready', since: now });
  const shown = async () => (await town.endpoints(2)).find(({ slot }) => slot === 'shop/web.2')!;
  expect(await town.runUntil(async () => !(await shown()).ready, 4_000)).toBeDefined();
  expect(await shown()).toMatchObject({ node: 'n1', usable: false, since: now, address: '10.42.1.2' });
  expect((await shown()).observedAt).toBeGreaterThanOrEqual(now);
  town.change(1, 'shop/web.2', { phase: 'stopping', since: now + 1 });
  const gone = async () => !(await seen(town, 2)).some((row) => row.includes('shop/web.2'));
  expect(await town.runUntil(gone, 4_000)).toBeDefined();
});

test('a daemon that is killed: suspected, its endpoints are not used, but the last of a service; dead, none is', async () => {
  const town = await settled(4);
  town.kill(1);
  const status = async () => (await town.endpoints(0)).find(({ slot }) => slot === 'solo/db.1')?.nodeStatus;
  expect(await town.runUntil(async () => (await status()) === 'suspected', 20_000, 100)).toBeDefined();
  expect(await seen(town, 0)).toEqual([
    own(0),
    own(1, 'ready unused suspected'),
    'n1 solo/db.1 ready used suspected',
    own(2),
    own(3),
  ]);
  expect(await town.runUntil(async () => (await status()) === 'dead', 60_000)).toBeDefined();
  const dead = [own(0), own(1, 'ready unused dead'), 'n1 solo/db.1 ready unused dead', own(2), own(3)];
  expect(await seen(town, 0)).toEqual(dead);
  // Its containers went on meanwhile: the next daemon adopts them, and tells of them when all have spoken.
  town.start(1);
  expect(await town.runUntil(() => alike(town, 4), 60_000)).toBeDefined();
});

test('a daemon that starts anew within a suspicion: whatever is seen meanwhile, the service keeps its last endpoint', async () => {
  const town = await settled(3);
  town.kill(1);
  await town.run(700);
  town.start(1);
  const kept = async () => (await seen(town, 0)).some((row) => row.startsWith('n1 solo/db.1 ready used'));
  for (let step = 0; step < 100; step++) {
    expect(await kept()).toBe(true);
    await town.run(100);
  }
  expect(await alike(town, 3)).toBe(true);
  // Its new life is what is shown, not what was left of the old one.
  const report = await town.report(0);
  expect(report.nodes.find(({ name }) => name === 'n1')!.records!.version.boot).toBe(2);
});

test('halves that are cut off use their own; what only the other one has is used until it is held dead', async () => {
  const town = await settled(5);
  town.partition([0, 2], [1, 3, 4]);
  const of = async (by: number, slot: string) =>
    (await town.endpoints(by)).find((endpoint) => endpoint.slot === slot)!;
  const suspected = async () => (await of(0, 'solo/db.1')).nodeStatus === 'suspected';
  expect(await town.runUntil(suspected, 20_000, 100)).toBeDefined();
  expect(await of(0, 'solo/db.1')).toMatchObject({ usable: true });
  expect(await of(0, 'shop/web.2')).toMatchObject({ usable: false, nodeStatus: 'suspected' });
  const used = async (by: number) =>
    (await town.endpoints(by)).flatMap(({ slot, usable }) => (usable ? [slot] : [])).sort();
  const apart = async () =>
    String(await used(0)) === 'shop/web.1,shop/web.3' &&
    String(await used(4)) === 'shop/web.2,shop/web.4,shop/web.5,solo/db.1';
  expect(await town.runUntil(apart, 120_000)).toBeDefined();
  // Shown all the same, with how old it is.
  const old = await of(0, 'solo/db.1');
  expect(old).toMatchObject({ nodeStatus: 'dead', ready: true });
  expect(town.now - old.observedAt!).toBeGreaterThan(3_000);
  town.change(1, 'solo/db.1', { readiness: 'unready', run: 2 });
  town.heal();
  expect(await town.runUntil(() => town.swarm.agreed(), 60_000)).toBeDefined();
  const told = async () => !(await of(0, 'solo/db.1')).ready;
  expect(await town.runUntil(told, limits.recordsCompareMs)).toBeDefined();
  expect(await of(0, 'solo/db.1')).toMatchObject({ run: 2, usable: false });
});

test('those of a node that hangs are not used while there are others; of one that left none is shown', async () => {
  const town = await settled(3);
  town.swarm.tell(1, { kind: 'describe', profile: { condition: 'stalled' } });
  const stalled = [own(0), own(1, 'ready unused stalled'), 'n1 solo/db.1 ready used stalled', own(2)];
  expect(
    await town.runUntil(async () => String(await seen(town, 0)) === String(stalled), 10_000),
  ).toBeDefined();
  town.swarm.tell(1, { kind: 'describe', profile: { condition: 'ready' } });
  expect(await town.runUntil(() => alike(town, 3), 10_000)).toBeDefined();
  town.swarm.tell(1, { kind: 'leave' });
  await town.run(5_000);
  town.homes[1]!.close();
  expect(await seen(town, 0)).toEqual([own(0), own(2)]);
});

test('of a slot that moved both are shown as long as both are told of, and the later placement is used', async () => {
  const town = await settled(3);
  town.change(2, 'solo/db.1', { placement: 2 });
  const both = [own(0), own(1), 'n1 solo/db.1 ready unused', 'n2 solo/db.1 ready used', own(2)].sort();
  expect(await town.runUntil(async () => String(await seen(town, 0)) === String(both), 10_000)).toBeDefined();
});
