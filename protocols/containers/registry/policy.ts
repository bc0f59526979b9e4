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

const durationMs: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** As people write it: `always`, `missing`, `never`, `daily`, `weekly`, `every_12h`. */
export function parsePullPolicy(text: string): PullPolicy | undefined {
  if (text === 'always' || text === 'missing' || text === 'never') return { when: text };
  if (text === 'if_not_present') return usualPolicy;
  if (text === 'daily') return { when: 'older', thanMs: 86_400_000 };
  if (text === 'weekly') return { when: 'older', thanMs: 604_800_000 };
  const match = /^every_((?:\d{1,6}[wdhm])+)$/.exec(text);
  if (!match) return undefined;
  const parts = [...match[1]!.matchAll(/(\d+)([wdhm])/g)];
  const thanMs = parts.reduce((sum, [, count, unit]) => sum + Number(count) * durationMs[unit!]!, 0);
  return thanMs > 0 ? { when: 'older', thanMs } : undefined;
}
