/**
 * Whether the nodes of a seed join through the door, and what befalls them there. Drawn apart from the plan: the rest of a
 * seed is the same with it and without.
 */
import { limits } from '../../../protocols/limits.ts';
import type { Random } from '../../../protocols/ports.ts';
import { chanceFor } from '../../world/simulated/chance.ts';
import type { JoiningAct, JoiningPlan, TokenKind } from './cluster-plan.ts';
import { faultyMs, type Plan } from './plan.ts';

/** Of the seeds of several nodes: joining costs a seed a third more than being there. */
const joiningShare = 0.25;
/** Renewed after 40 s, after 120 s, and never in a run. */
const terms = [210_000, 330_000, limits.certificateMs] as const;
const tokens: readonly TokenKind[] = [
  ...(['good', 'good', 'good', 'good', 'good'] as const),
  ...(['expired', 'revoked', 'spent', 'foreign', 'garbled'] as const),
];
const acts = ['impostor', 'impostor', 'move', 'lost'] as const;
const mostActs = 4;

export function withJoining(seed: number, plan: Plan): Plan {
  const random = chanceFor(seed, 'joining');
  const { cluster } = plan;
  if (!cluster || random.next() >= joiningShare) return plan;
  return { ...plan, cluster: { ...cluster, joining: joiningOf(random, cluster.nodes) } };
}

/** By chance, for so many nodes. */
export function joiningOf(random: Random, nodes: number): JoiningPlan {
  const whole = (below: number) => Math.floor(random.next() * below);
  const of = <Value>(list: readonly Value[]): Value => list[whole(list.length)]!;
  const many = <Value>(length: number, make: () => Value): Value[] => Array.from({ length }, make);
  return {
    certificateMs: of(terms),
    tokens: many(nodes - 1, () => of(tokens)),
    lostAnswers: of([0, 0.1, 0.3]),
    doorKills: many(whole(3), () => ({ nth: whole(nodes * 2), at: of(['asked', 'answered'] as const) })),
    acts: many(whole(mostActs + 1), (): JoiningAct => ({
      do: of(acts),
      node: 1 + whole(nodes - 1),
      atMs: 8_000 + whole(faultyMs - 20_000),
    })).sort((a, b) => a.atMs - b.atMs),
  };
}
