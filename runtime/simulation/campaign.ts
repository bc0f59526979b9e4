/**
 * Many seeds: what they found, how often each invariant was put to the test, and whether that was often enough to
 * mean anything. Some seeds run twice, and must take exactly the same steps.
 */
import type { Plan } from './plans/plan.ts';
import { simulate, type Outcome } from './simulation.ts';

/** So often must each invariant be exercised, a hundred seeds: far below what they are, far above chance. */
export const minimumPerHundred: Readonly<Record<string, number>> = {
  S1: 90,
  S2: 90,
  S3: 20_000,
  S4: 200,
  S5: 2,
  S6: 10,
  O1: 180,
  O2: 300,
  O4: 2_000,
  O5: 30,
  O7: 100,
  O9: 90,
  O11: 200,
  O12: 5,
  D1: 100,
  D2: 3_000,
  H1: 200,
  H2: 50,
  U1: 10,
  J1: 30,
  J2: 50,
  I1: 1_000,
  N1: 400,
  N2: 200,
  N3: 100,
  P1: 1_000,
  St3: 2_000,
  X2: 300,
};

/** Of several nodes, whose seeds have fewer faults for each. */
const clusterMinimumPerHundred: Readonly<Record<string, number>> = {
  S1: 270,
  S2: 270,
  S3: 50_000,
  S5: 2,
  O1: 270,
  O2: 600,
  O9: 90,
  O11: 300,
  St3: 1_000,
  M1: 400,
  M2: 30,
  M3: 300,
  M4: 1_000,
  M5: 80,
  M6: 200,
  M7: 200_000,
  M8: 500,
  M9: 150,
};

/** Every so many seeds one runs a second time. */
const twiceEvery = 25;

export interface CampaignReport {
  readonly seeds: number;
  readonly failed: readonly Outcome[];
  readonly exercised: Readonly<Record<string, number>>;
  /** Invariants that were exercised too seldom. */
  readonly tame: readonly string[];
  readonly virtualMs: number;
  readonly frames: number;
  readonly boots: number;
  readonly kills: number;
}

export interface CampaignWish {
  readonly fromSeed: number;
  readonly seeds: number;
  readonly nodes: number;
  readonly planOf: (seed: number) => Plan;
}

/** In this process; `workers/spread.ts` shares seeds among several. */
export async function campaign(
  { fromSeed, seeds, nodes, planOf }: CampaignWish,
  onOutcome: (outcome: Outcome) => void = () => {},
): Promise<CampaignReport> {
  const tally = new Tally();
  for (let seed = fromSeed; seed < fromSeed + seeds; seed += 1) {
    const outcome = await judgeSeed(seed, planOf(seed));
    tally.add(outcome);
    onOutcome(outcome);
  }
  return tally.report(nodes);
}

/** Runs it, sometimes twice. */
export async function judgeSeed(seed: number, plan: Plan): Promise<Outcome> {
  const outcome = await simulate(seed, plan);
  if (outcome.violation || seed % twiceEvery !== 0) return outcome;
  const again = await simulate(seed, plan);
  const twice = { ...outcome, exercised: { ...outcome.exercised, S5: 1 } };
  if (again.hash === outcome.hash) return twice;
  const text = `S5: seed ${seed} gave ${outcome.hash}, and then ${again.hash}`;
  return { ...twice, violation: { checker: 'S5', text, atMs: outcome.virtualMs } };
}

/** What many seeds come to, in whatever order they end. */
export class Tally {
  readonly failed: Outcome[] = [];
  seeds = 0;
  virtualMs = 0;
  readonly #exercised: Record<string, number> = { S5: 0 };
  readonly #sum = { frames: 0, boots: 0, kills: 0 };

  add(outcome: Outcome): void {
    for (const [checker, count] of Object.entries(outcome.exercised))
      this.#exercised[checker] = (this.#exercised[checker] ?? 0) + count;
    this.seeds += 1;
    this.virtualMs += outcome.virtualMs;
    for (const key of ['frames', 'boots', 'kills'] as const) this.#sum[key] += outcome[key];
    if (outcome.violation) this.failed.push(outcome);
  }

  report(nodes: number): CampaignReport {
    const { seeds, virtualMs } = this;
    const failed = [...this.failed].sort((a, b) => a.seed - b.seed);
    const exercised = Object.fromEntries(
      Object.entries(this.#exercised).sort(([a], [b]) => (a < b ? -1 : 1)),
    );
    return { seeds, virtualMs, failed, exercised, tame: tameIn(exercised, seeds, nodes), ...this.#sum };
  }
}

/** Which invariants so many seeds did not exercise enough, in words. */
export function tameIn(
  exercised: Readonly<Record<string, number>>,
  seeds: number,
  nodes: number,
): readonly string[] {
  return Object.entries(nodes === 1 ? minimumPerHundred : clusterMinimumPerHundred).flatMap(
    ([checker, perHundred]) => {
      const least = Math.floor((perHundred * seeds) / 100);
      const count = exercised[checker] ?? 0;
      return count < least ? [`${checker} was exercised ${count} times, at least ${least} are wanted`] : [];
    },
  );
}
