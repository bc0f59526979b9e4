/**
 * Many seeds: what they found, how often each invariant was put to the test, and whether that was often enough to
 * mean anything. Some seeds run twice, and must take exactly the same steps.
 */
import type { Plan } from './plans/plan.ts';
import { simulate, type Outcome } from './simulation.ts';
import { sites, type Site } from './sites/list.ts';

/**
 * So often must each invariant be exercised, a hundred seeds: half of what 120 seeds did, a quarter where most of them do
 * not, a tenth where hardly one does.
 */
export const minimumPerHundred: Readonly<Record<string, number>> = {
  S1: 90,
  S2: 90,
  S3: 70_000,
  S4: 90,
  S5: 2,
  S6: 15,
  O1: 100,
  O2: 600,
  O4: 4_000,
  O5: 150,
  O7: 150,
  O9: 90,
  O11: 400,
  O12: 5,
  D1: 500,
  D2: 10_000,
  H1: 400,
  H2: 30,
  U1: 3,
  J1: 20,
  J2: 20,
  I1: 1_000,
  N1: 600,
  N2: 200,
  N3: 200,
  P1: 3_000,
  R1: 1,
  St3: 1_000,
  X2: 500,
  journal: 3_000,
};

/** Of several nodes, likewise, from 30 seeds of three nodes and 16 of five. */
const clusterMinimumPerHundred: Readonly<Record<string, number>> = {
  S1: 150,
  S2: 150,
  S3: 90_000,
  S4: 20,
  S5: 2,
  S6: 2,
  O1: 150,
  O2: 700,
  O4: 4_000,
  O5: 150,
  O7: 70,
  O9: 90,
  O11: 400,
  D1: 400,
  D2: 8_000,
  H1: 400,
  H2: 10,
  U1: 10,
  J1: 15,
  J2: 20,
  I1: 1_000,
  N1: 600,
  N2: 150,
  N3: 200,
  P1: 3_000,
  St3: 1_000,
  X2: 400,
  journal: 2_000,
  M1: 15,
  M1t: 3,
  M2: 50,
  M3: 150,
  M4: 1_000,
  M5: 20,
  M6: 200,
  M7: 150_000,
  M8: 400,
  M9: 100,
  M9k: 3,
  C1: 200,
  C2: 1_000,
  C3: 2_000,
  K1: 8,
  K2: 2,
  K3: 1,
  K4: 9,
  K5: 5,
};

/** Of the awkward places, so often each must strike. */
const siteMinima = (areSeveral: boolean): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(sites).flatMap(([name, { least, several }]: [string, Site]) =>
      several && !areSeveral ? [] : [[`site ${name}`, least]],
    ),
  );

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
  const minima = {
    ...(nodes === 1 ? minimumPerHundred : clusterMinimumPerHundred),
    ...siteMinima(nodes > 1),
  };
  return Object.entries(minima).flatMap(([checker, perHundred]) => {
    const least = Math.floor((perHundred * seeds) / 100);
    const count = exercised[checker] ?? 0;
    return count < least ? [`${checker} was exercised ${count} times, at least ${least} are wanted`] : [];
  });
}
