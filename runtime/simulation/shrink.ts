/** From a failing seed to the smallest plan that still breaks the same invariant. */
import fc from 'fast-check';
import { planArbitrary, planParameters } from './plans/plan-arbitrary.ts';
import type { Plan } from './plans/plan.ts';
import { simulate } from './simulation.ts';

/** `undefined` when the seed does not fail. At most `tries` smaller plans are run. */
export async function shrink(seed: number, tries: number): Promise<Plan | undefined> {
  const first = await simulate(seed, fc.sample(planArbitrary, planParameters(seed))[0]!);
  const checker = first.violation?.checker;
  if (checker === undefined) return undefined;
  let left = tries;
  const result = await fc.check(
    fc.asyncProperty(planArbitrary, async (plan) => {
      if (left-- <= 0) return true;
      return (await simulate(seed, plan)).violation?.checker !== checker;
    }),
    planParameters(seed),
  );
  return result.counterexample?.[0];
}
