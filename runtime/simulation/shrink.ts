/** From a failing seed to the smallest plan that still breaks the same invariant. */
import fc from 'fast-check';
import { planParameters } from './plans/plan-arbitrary.ts';
import type { Plan } from './plans/plan.ts';
import { simulate } from './simulation.ts';

export interface Shrinking {
  readonly plans: fc.Arbitrary<Plan>;
  /** At most so many smaller plans are run. */
  readonly tries: number;
}

/** `undefined` when the seed does not fail. */
export async function shrink(seed: number, { plans, tries }: Shrinking): Promise<Plan | undefined> {
  const first = await simulate(seed, fc.sample(plans, planParameters(seed))[0]!);
  const checker = first.violation?.checker;
  if (checker === undefined) return undefined;
  let left = tries;
  const result = await fc.check(
    fc.asyncProperty(plans, async (plan) => {
      if (left-- <= 0) return true;
      return (await simulate(seed, plan)).violation?.checker !== checker;
    }),
    planParameters(seed),
  );
  return result.counterexample?.[0];
}
