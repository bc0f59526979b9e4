/**
 * Whether the nodes of a seed join through the door, and what befalls them there. Drawn apart from the plan: the rest of a
 * seed is the same with it and without.
 */
import { limits } from '../../../protocols/limits.ts';
import type { Random } from '../../../protocols/ports.ts';
import { chanceFor } from '../../world/simulated/chance.ts';
import type { JoiningPlan } from './cluster-plan.ts';
import type { Plan } from './plan.ts';

/** Of the seeds of several nodes: joining costs a seed a third more than being there. */
const joiningShare = 0.25;
/** Renewed after 40 s, after 120 s, and never in a run. */
const terms = [210_000, 330_000, limits.certificateMs] as const;

export function withJoining(seed: number, plan: Plan): Plan {
  const random = chanceFor(seed, 'joining');
  if (!plan.cluster || random.next() >= joiningShare) return plan;
  return { ...plan, cluster: { ...plan.cluster, joining: drawn(random) } };
}

const drawn = (random: Random): JoiningPlan => ({
  certificateMs: terms[Math.floor(random.next() * terms.length)]!,
});
