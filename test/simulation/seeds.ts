/** A share of the 240 seeds that every `npm test` runs; two files have one each, so that two processors work. */
import { expect, test } from 'vitest';
import { planOf } from '../../runtime/simulation/plans/plan-arbitrary.ts';
import { campaign } from '../../runtime/simulation/campaign.ts';

export function runSeeds(from: number, seeds: number): void {
  test(`seeds ${from} to ${from + seeds - 1} break no invariant, and put each to the test`, async () => {
    const report = await campaign({ fromSeed: from, seeds, nodes: 1, planOf });
    const failures = report.failed.map(
      ({ seed, violation }) => `npm run sim -- --seed ${seed} --trace: ${violation!.text}`,
    );
    expect(failures).toEqual([]);
    expect(report.tame).toEqual([]);
  });
}
