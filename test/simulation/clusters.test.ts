/** Seeds of several nodes: full ones, with everything that may befall them, their network and their time. */
import { expect, test } from 'vitest';
import { campaign } from '../../runtime/simulation/campaign.ts';
import { clusterPlanOf } from '../../runtime/simulation/plans/cluster-arbitrary.ts';
import { simulate } from '../../runtime/simulation/simulation.ts';

test.each([
  { nodes: 3, seeds: 8 },
  { nodes: 5, seeds: 3 },
])('$seeds seeds of $nodes nodes break no invariant', async ({ nodes, seeds }) => {
  const planOf = (seed: number) => clusterPlanOf(seed, nodes);
  const report = await campaign({ fromSeed: 1, seeds, nodes, planOf });
  const failures = report.failed.map(
    ({ seed, violation }) => `npm run sim -- --seed ${seed} --nodes ${nodes} --trace: ${violation!.text}`,
  );
  expect(failures).toEqual([]);
  const idle = ['M1', 'M2', 'M3', 'M4', 'M7', 'M8', 'C1', 'C2', 'C3'].filter(
    (checker) => !report.exercised[checker],
  );
  expect(idle).toEqual([]);
});

test('the same seed of several nodes takes the same steps', async () => {
  const plan = { ...clusterPlanOf(3, 3), forMs: 40_000 };
  const first = await simulate(3, plan);
  expect(first.frames).toBeGreaterThan(500);
  expect(await simulate(3, plan)).toEqual(first);
});
