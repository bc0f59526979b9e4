/** Every end-to-end scenario as a simulated run: the invariants hold throughout, and it ends as desired. */
import { expect, test } from 'vitest';
import { simulate } from '../../runtime/simulation/simulation.ts';
import { scenarios } from './scenarios.ts';

test.each(scenarios)('$name', async ({ plan }) => {
  const outcome = await simulate(1, plan);
  expect(outcome.violation).toBeUndefined();
  expect(outcome.exercised['O1']).toBeGreaterThan(0);
});
