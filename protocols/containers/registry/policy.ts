/** When a registry is asked for an image. Pure. */
import type { PullPolicy } from '../../apps/service-model.ts';

/** `use` what is here, `ask` the registry whether that is still right (and pull what it has), `pull`, or there is `nothing`. */
export type PullDecision = 'use' | 'ask' | 'pull' | 'nothing';

/**
 * `present`: the image is on the node, whole; `lookedAtMs` is when a registry was last asked about it (0: never, it was
 * imported). `fixed`: the digest is known, so that nothing newer can be meant.
 */
export function pullDecision(
  policy: PullPolicy,
  here: { readonly present: boolean; readonly lookedAtMs: number; readonly fixed: boolean },
  nowMs: number,
): PullDecision {
  if (policy.when === 'never') return here.present ? 'use' : 'nothing';
  if (!here.present) return 'pull';
  if (here.fixed || policy.when === 'missing') return 'use';
  if (policy.when !== 'older') return 'ask';
  return nowMs - here.lookedAtMs >= policy.thanMs ? 'ask' : 'use';
}

export const usualPolicy: PullPolicy = { when: 'missing' };
