/** A node of the cluster that lies about records, others' or its own: refused, counted, told, and believed by nobody. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../../protocols/limits.ts';
import type { Records } from '../../../protocols/observed/model.ts';
import { simulatedNotary } from '../../../runtime/simulation/membership/notary.ts';
import { idOf } from '../../../runtime/simulation/membership/swarm.ts';
import { createRecordSeals } from '../../../transport/secure/record-seals.ts';
import { nameOf, ObservedTown, statusOf } from '../../kit/cluster/observed-town.ts';

const liar = 3;

/** n3 lies: it answers pulls with what `answer` says, and comparisons not at all. */
async function townWithLiar(
  answer: (body: readonly unknown[], asked: number) => unknown,
): Promise<ObservedTown> {
  const town = new ObservedTown({ nodes: 4, slots: 2 });
  expect(await town.runUntil(() => town.agreed(), 40_000)).toBeDefined();
  const home = town.homes[liar]!;
  home.depose();
  let asked = 0;
  home.calls.on('records.pull', (_from, body) => answer(body as readonly unknown[], (asked += 1)));
  home.calls.on('records.compare', () => [null]);
  return town;
}

function tell(town: ObservedTown, index: number, sequence: number, boot = 1): void {
  const digest = { id: idOf(index), boot, sequence, hash: 'f'.repeat(16) };
  town.swarm.tell(liar, { kind: 'tell-digest', digest });
}

/** What n1 says of itself, as n0 would give it on. */
async function takenFrom(town: ObservedTown, of: number): Promise<readonly unknown[]> {
  const { calls } = town.homes[liar]!;
  const to = { id: idOf(0), address: town.address(0) };
  const answer = calls.call(to, 'records.pull', [1, idOf(of), 0, 0], { timeoutMs: 1_000 });
  await town.run(100);
  return (await answer) as readonly unknown[];
}

async function seal(index: number, records: Records, sequence: number): Promise<Uint8Array> {
  const notary = simulatedNotary(idOf(index), nameOf(index));
  const seals = createRecordSeals(notary, () => 1);
  const call = { key: '', signal: new AbortController().signal };
  return (await seals.seal({ boot: 1, sequence, records }, call)).head;
}

/** What n0 and n2 show of n1, and n1 itself goes on being heard. */
async function unharmed(town: ObservedTown): Promise<void> {
  for (const by of [0, 2]) expect((await town.view(by))['n1']).toBe(town.truth(1));
  town.change(1, 'shop1/web.1', { run: 5 });
  expect(await town.runUntil(() => town.agreed([0, 1, 2]), 2 * limits.recordsCompareMs)).toBeDefined();
}

describe('what a liar gives out as the records of another', () => {
  test('an old set played again is no newer than what is there', async () => {
    let recorded: readonly unknown[] = [];
    const town = await townWithLiar(() => recorded);
    recorded = await takenFrom(town, 1);
    town.change(1, 'shop1/web.2', { phase: 'failed', readiness: 'none' });
    await town.runUntil(() => town.agreed([0, 1, 2]), 5_000);
    tell(town, 1, 1_000);
    await town.run(10_000);
    expect((await town.report(0)).counts.old).toBeGreaterThan(0);
    await unharmed(town);
  });

  test.each([
    [
      'another state of a container',
      (records: Records) => ({
        ...records,
        'container/shop1/web.1': { sequence: 1, value: statusOf(1, 'shop1/web.1', { run: 66 }) },
      }),
    ],
    [
      'a container less',
      (records: Records) =>
        Object.fromEntries(Object.entries(records).filter(([key]) => key !== 'container/shop1/web.1')),
    ],
    [
      'another version of an entry',
      (records: Records) => ({ ...records, facts: { ...records['facts']!, sequence: 2 } }),
    ],
  ] as const)('%s under a good head is refused, and who gave it is named', async (_what, forge) => {
    let forged: readonly unknown[] = [];
    const town = await townWithLiar(() => forged);
    const [boot, , , , , lines] = await takenFrom(town, 1);
    const records = Object.fromEntries(
      (lines as [string, number, unknown][]).map(([key, sequence, value]) => [key, { sequence, value }]),
    );
    const head = await seal(1, records, 900);
    const changed = Object.entries(forge(records)).map(([key, { sequence, value }]) => [
      key,
      sequence,
      value,
    ]);
    forged = [boot, 900, true, false, head, changed];
    tell(town, 1, 900);
    await town.run(10_000);
    expect((await town.report(0)).counts.forged).toBeGreaterThan(0);
    expect(town.homes[0]!.events.join('\n')).toContain('Records of n1 from n3 are refused');
    await unharmed(town);
  });

  test('its own signature is not theirs', async () => {
    // No record in it says whose it is: the signature alone does.
    const head = await seal(liar, { 'labels/x': { sequence: 900, value: { a: 1 } } }, 900);
    const town = await townWithLiar(() => [1, 900, true, false, head, [['labels/x', 900, { a: 1 }]]]);
    tell(town, 1, 900);
    await town.run(10_000);
    expect((await town.report(0)).counts.forged).toBeGreaterThan(0);
    await unharmed(town);
  });

  test.each([
    ['nothing', () => []],
    ['no answer in form', () => ({ version: 'x' })],
    ['lines that are none', () => [1, 900, true, false, new Uint8Array(9), [['__proto__', 1, {}]]]],
    [
      'a promise of more, for ever',
      (_: unknown, asked: number) => [
        1,
        90_000,
        true,
        true,
        new Uint8Array(9),
        [[`x/${asked}`, asked, { a: 1 }]],
      ],
    ],
    ['silence', () => new Promise(() => {})],
  ] as const)('%s costs a few calls and nothing else', async (_what, answer) => {
    let calls = 0;
    const town = await townWithLiar((body, asked) => {
      calls += 1;
      return answer(body, asked);
    });
    tell(town, 1, 900);
    await town.run(60_000);
    // Two askers, a few attempts of at most so many pieces.
    expect(calls).toBeLessThanOrEqual(3 * limits.recordsPullTries * limits.recordsPieces);
    await unharmed(town);
  });
});

test('of itself it may say what it likes, but in form', async () => {
  const value = { slot: 'shop/web.1', phase: 7 };
  const records = { 'container/shop/web.1': { sequence: 900, value } };
  const head = await seal(liar, records, 900);
  const town = await townWithLiar(() => [1, 900, true, false, head, [['container/shop/web.1', 900, value]]]);
  tell(town, liar, 900);
  await town.run(10_000);
  const { counts, nodes } = await town.report(0);
  expect(counts.forged).toBeGreaterThan(0);
  // What it said before it lied stands, and is known not to be its newest.
  expect(nodes.find(({ name }) => name === 'n3')!.records!.containers.length).toBe(2);
});

test('a container of another node is not its to tell of', async () => {
  const value = statusOf(1, 'shop1/web.1', { run: 66 });
  const records = { 'container/shop1/web.1': { sequence: 900, value } };
  const head = await seal(liar, records, 900);
  const town = await townWithLiar(() => [1, 900, true, false, head, [['container/shop1/web.1', 900, value]]]);
  tell(town, liar, 900);
  await town.run(10_000);
  expect((await town.report(0)).counts.forged).toBeGreaterThan(0);
  await unharmed(town);
});

test('whose records are told of is a member, or nobody hears it', async () => {
  const town = await townWithLiar(() => []);
  for (const id of ['id99', 'constructor', '__proto__'])
    town.swarm.tell(liar, {
      kind: 'tell-digest',
      digest: { id, boot: 1, sequence: 1, hash: 'f'.repeat(16) },
    });
  await town.run(10_000);
  expect((await town.report(0)).counts).toMatchObject({ strangers: 3, told: expect.any(Number) });
  await unharmed(town);
});

test('nobody makes a node count on by telling of its own records: only its own signature does', async () => {
  const town = await townWithLiar(() => []);
  const before = (await town.report(0)).nodes[0]!.records!.version;
  tell(town, 0, 4_000_000_000, 4_000_000_000);
  await town.run(60_000);
  town.change(0, 'shop0/web.1', { run: 2 });
  await town.run(1_000);
  const after = (await town.report(0)).nodes[0]!.records!.version;
  expect(after).toEqual({ boot: before.boot, sequence: before.sequence + 1 });
});
