/** What a member's newest standing says that the one before did not. */
import type { MemberStatus } from '../model.ts';
import type { MemberNews, MemberView } from './view.ts';

/** As much of a standing as news is made of. */
export interface Standing {
  readonly status: MemberStatus;
  readonly boot: number;
}

export function standingOfView({ status, incarnation }: MemberView): Standing {
  return { status, boot: incarnation.boot };
}

const become: Readonly<Record<Exclude<MemberStatus, 'alive'>, MemberNews>> = {
  suspected: 'suspected',
  dead: 'died',
  left: 'left',
};

/** `undefined`: nothing but words. `before`: what was told of it last, if anything was. */
export function newsOf(before: Standing | undefined, now: Standing): MemberNews | undefined {
  const { status, boot } = now;
  if (!before) return status === 'alive' ? 'joined' : become[status];
  if (status !== 'alive')
    return status === before.status && boot === before.boot ? undefined : become[status];
  if (boot > before.boot) return 'restarted';
  return before.status === 'alive' ? undefined : 'recovered';
}
