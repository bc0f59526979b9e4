/** Every end-to-end scenario as a simulated run: the invariants hold throughout, and it ends as desired. */
import { expect, test } from 'vitest';
import { simulate } from '../../runtime/simulation/simulation.ts';
import { scenarios } from './scenarios.ts';

test.each(scenarios)('$name', async ({ plan }) => {
  const outcome = await simulate(1, plan);
  expect(outcome.violation).toBeUndefined();
  expect(outcome.exercised['O1']).toBeGreaterThan(0);
});

test('a revision that crashes at once replaces one of its three replicas, and no other as long as it does', async () => {
  const crashing = scenarios.find(({ name }) => name.includes('crashes after 40 ms'))!;
  const outcome = await simulate(1, crashing.plan);
  expect(outcome.violation).toBeUndefined();
  // The first to the crashing one, then the second and the third to the mended one: the first did not stand then.
  expect(outcome.exercised['R1']).toBe(3);
});
