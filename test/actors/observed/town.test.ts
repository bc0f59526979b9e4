/** Observed actors over real membership cores and calls: everybody comes to show the same, whatever happens in between. */
import { describe, expect, test } from 'vitest';
import { coded } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { RecordSeals } from '../../../protocols/observed/ports.ts';
import { simulatedNotary } from '../../../runtime/simulation/membership/notary.ts';
import { idOf } from '../../../runtime/simulation/membership/swarm.ts';
import { createRecordSeals } from '../../../transport/secure/record-seals.ts';
import { nameOf, ObservedTown } from '../../kit/cluster/observed-town.ts';

async function settled(options: ConstructorParameters<typeof ObservedTown>[0]): Promise<ObservedTown> {
  const town = new ObservedTown(options);
  expect(await town.runUntil(() => town.agreed(), 40_000), 'all show the same').toBeDefined();
  return town;
}

/** Every node has heard that nothing is newer than what it has. */
async function quiet(town: ObservedTown): Promise<void> {
  await town.run(2 * limits.recordsCompareMs);
}

test('five nodes come to show the same, and a change of one is everywhere within seconds', async () => {
  const town = await settled({ nodes: 5, slots: 3 });
  town.change(2, 'shop2/web.1', { run: 2 });
  town.change(2, 'shop2/web.2', undefined);
  town.change(3, 'shop3/db.1', {});
  expect(await town.runUntil(() => town.agreed(), 4_000)).toBeDefined();
  const { nodes, counts } = await town.report(0);
  expect(nodes.map(({ name, status, records }) => [name, status, records?.facts?.cpus])).toEqual(
    [0, 1, 2, 3, 4].map((index) => [nameOf(index), 'alive', 4]),
  );
  expect([counts.forged, counts.old]).toEqual([0, 0]);
});

test('a burst of changes becomes few versions; what comes to the same becomes none', async () => {
  const town = await settled({ nodes: 2, slots: 20 });
  await quiet(town);
  const before = (await town.report(1)).nodes.find(({ name }) => name === 'n0')!.records!.version;
  for (let at = 1; at <= 20; at++) town.change(0, `shop0/web.${at}`, { restarts: 1 });
  expect(await town.runUntil(() => town.agreed(), 4_000)).toBeDefined();
  await quiet(town);
  const after = (await town.report(1)).nodes.find(({ name }) => name === 'n0')!.records!.version;
  expect(after.sequence - before.sequence).toBe(1);
  for (let at = 1; at <= 20; at++) town.change(0, `shop0/web.${at}`, { restarts: 1 });
  await quiet(town);
  const last = (await town.report(1)).nodes.find(({ name }) => name === 'n0')!.records!.version;
  expect(last).toEqual(after);
});

describe.each([1, 2, 3])('seed %i', (seed) => {
  test('halves that were cut and went on changing agree within half a minute of finding each other', async () => {
    const town = await settled({ seed, nodes: 5, slots: 2 });
    const [some, others] = [
      [0, 1],
      [2, 3, 4],
    ] as const;
    town.partition(some, others);
    await town.run(5_000);
    for (let step = 0; step < 10; step++) {
      for (const index of [0, 3]) town.change(index, `shop${index}/web.1`, { run: step + 2 });
      await town.run(2_000);
    }
    expect(await town.agreed(some)).toBe(true);
    expect(await town.agreed(others)).toBe(true);
    expect(await town.agreed()).toBe(false);
    // Who is cut off is shown as membership has it, with what was heard last.
    const seen = (await town.report(0)).nodes.find(({ name }) => name === 'n3')!;
    expect(seen.status).toBe('dead');
    expect(seen.records!.containers.length).toBe(2);
    town.heal();
    expect(await town.runUntil(() => town.swarm.agreed(), 60_000), 'members find together').toBeDefined();
    expect(await town.runUntil(() => town.agreed(), limits.recordsCompareMs)).toBeDefined();
  });
});

test('a node that starts anew tells of its new life; what it said in the old one is outdone', async () => {
  const town = await settled({ nodes: 3, slots: 2 });
  town.kill(1);
  await town.run(1_000);
  town.start(1);
  town.change(1, 'shop1/web.1', { run: 7 });
  expect(await town.runUntil(() => town.agreed(), 10_000)).toBeDefined();
  const { records } = (await town.report(2)).nodes.find(({ name }) => name === 'n1')!;
  expect(records!.version.boot).toBe(2);
});

test('an actor that crashed counts its versions on from what the others have of it', async () => {
  const town = await settled({ nodes: 3, slots: 2 });
  for (let run = 2; run < 6; run++) {
    town.change(0, 'shop0/web.1', { run });
    await town.run(1_000);
  }
  // The same boot, nothing remembered: as after a crash of the actor, or with a journal that was set back.
  town.homes[0]!.boot = 0;
  town.homes[0]!.close();
  town.start(0);
  town.homes[0]!.boot = 1;
  town.change(0, 'shop0/web.1', { run: 9 });
  expect(await town.runUntil(() => town.agreed(), 2 * limits.recordsCompareMs)).toBeDefined();
});

test('who left is shown no more, and nobody’s old records bring it back', async () => {
  const town = await settled({ nodes: 4, slots: 1 });
  // n3 hears nothing of the farewell, and has the records of n2 still.
  town.partition([3], [0, 1, 2]);
  town.swarm.tell(2, { kind: 'leave' });
  await town.run(5_000);
  town.homes[2]!.close();
  expect(Object.keys(await town.view(0))).not.toContain('n2');
  expect(Object.keys(await town.view(3))).toContain('n2');
  town.heal();
  await town.runUntil(() => town.swarm.agreed(), 60_000);
  await quiet(town);
  for (const by of [0, 1, 3]) expect(Object.keys(await town.view(by)).sort()).toEqual(['n0', 'n1', 'n3']);
});

test('the dead are shown as dead for an hour, then forgotten everywhere', async () => {
  const town = await settled({ nodes: 3, slots: 1 });
  town.kill(2);
  await town.runUntil(() => town.swarm.up().length === 2 && town.swarm.agreed(), 60_000);
  await town.run(limits.recordsDeadMs / 2);
  expect((await town.report(0)).nodes.find(({ name }) => name === 'n2')?.status).toBe('dead');
  await town.run(limits.recordsDeadMs / 2 + 2 * limits.recordsCompareMs);
  const { nodes, buried } = await town.report(0);
  expect(nodes.map(({ name }) => name)).toEqual(['n0', 'n1']);
  expect(buried).toBe(1);
});

test('a slow peer holds up nobody but itself', async () => {
  const town = await settled({ nodes: 5, slots: 5 });
  for (const index of [0, 1, 2, 3])
    for (const [from, to] of [
      [4, index],
      [index, 4],
    ])
      town.streams.clog(town.swarm.place(from!), town.swarm.place(to!), 60_000);
  for (let step = 0; step < 5; step++) {
    for (const index of [0, 1, 2, 3, 4]) town.change(index, `shop${index}/web.1`, { run: step + 2 });
    await town.run(1_000);
  }
  expect(await town.runUntil(() => town.agreed([0, 1, 2, 3]), 15_000)).toBeDefined();
  await town.run(60_000);
  expect(await town.runUntil(() => town.agreed(), 2 * limits.recordsCompareMs)).toBeDefined();
});

test('what never changes is signed anew before what vouches for its signer ends: who comes later believes it', async () => {
  const renewedMs = 140_000;
  const termMs = 210_000;
  const until = (signedAt: number): number => signedAt - (signedAt % renewedMs) + termMs;
  const town: ObservedTown = new ObservedTown({
    nodes: 3,
    slots: 1,
    seals: (index) => {
      const now = (): number => town.swarm.clock.now();
      const seals = createRecordSeals(simulatedNotary(idOf(index), nameOf(index)), now, () => until(now()));
      const open: RecordSeals['open'] = async (args, call) => {
        const opened = await seals.open(args, call);
        if (until(opened.at) < now()) throw coded('HM-RECORDS-FORGED', 'what vouched for its signer is over');
        return opened;
      };
      return { ...seals, open };
    },
  });
  expect(await town.runUntil(() => town.agreed(), 40_000)).toBeDefined();
  town.kill(2);
  await town.run(3 * termMs);
  town.start(2);
  expect(await town.runUntil(() => town.agreed(), 40_000), 'the late one believes the others').toBeDefined();
  expect((await town.report(2)).counts.forged).toBe(0);
});
