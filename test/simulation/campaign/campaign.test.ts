/** Campaigns over processes: what they find does not depend on how many there are, and no seed is lost when one dies. */
import { expect, test } from 'vitest';
import { campaign } from '../../../runtime/simulation/campaign.ts';
import { planFor } from '../../../runtime/simulation/plans/choice.ts';
import { spreadCampaign, type SpreadWish } from '../../../runtime/simulation/workers/spread.ts';
import { realClock } from '../../../runtime/world/real-clock.ts';

const planted = new URL('planted.ts', import.meta.url);

const wish = (given: Partial<SpreadWish>): SpreadWish => ({
  ...{ wish: { nodes: 1 }, fromSeed: 1, seeds: 20, workers: 2, clock: realClock, seedLimitMs: 60_000 },
  ...given,
});

test('seeds of two processes come to what they come to in one', async () => {
  const short = { nodes: 1, forMs: 10_000 };
  const { nextSeed, rssBytes, ...report } = await spreadCampaign(
    wish({ wish: short, fromSeed: 23, seeds: 6 }),
  );
  const alone = await campaign({ fromSeed: 23, seeds: 6, nodes: 1, planOf: (seed) => planFor(short, seed) });
  expect(report).toEqual(alone);
  expect(report.seeds).toBe(6);
  expect(report.exercised['S5']).toBe(1);
  expect(nextSeed).toBe(29);
  expect(rssBytes).toBeGreaterThan(2 ** 20);
});

test.each([1, 3])('a seed that fails, crashes or hangs is named, with %i processes', async (workers) => {
  const report = await spreadCampaign(wish({ workers, program: planted, seedLimitMs: 4_000 }));
  const found = report.failed.map(({ seed, violation }) => [seed, violation!.checker, violation!.text]);
  expect(found).toEqual([
    [3, 'O1', 'O1: planted in 3'],
    [6, 'crash', 'crash: the process ended with code 7: out of wit'],
    [9, 'crash', expect.stringContaining('Error: planted')],
    [13, 'hang', 'hang: no end within 4 s'],
    [17, 'hang', 'hang: no end within 4 s'],
  ]);
  expect({ seeds: report.seeds, next: report.nextSeed }).toEqual({ seeds: 20, next: 21 });
  expect(report.exercised['O1']).toBe(2 * 16);
});

test('who interrupts it is told what was done, and where to go on', async () => {
  const interrupt = new AbortController();
  const ran: number[] = [];
  const report = await spreadCampaign(
    wish({ program: planted, workers: 1, fromSeed: 30, seeds: 40, signal: interrupt.signal }),
    ({ seed }) => {
      ran.push(seed);
      if (ran.length === 12) interrupt.abort();
    },
  );
  expect(report.seeds).toBe(ran.length);
  expect(report.nextSeed).toBe(30 + ran.length);
  expect(report.failed.map(({ seed }) => seed)).toEqual([33]);
});

test('a program that does not start fails the campaign, not its seeds', async () => {
  const program = new URL('absent.ts', import.meta.url);
  await expect(spreadCampaign(wish({ program }))).rejects.toThrow('no process for seeds can be started');
});
