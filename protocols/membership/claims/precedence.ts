/**
 * Which of two claims about a member stands. Claims are ordered, and the greater one wins wherever they meet: so all
 * nodes that heard the same claims agree, in any order of arrival.
 *
 * The order, most telling first: a later boot · that it left (final for that boot) · a higher counter · of one
 * incarnation, dead before suspected before alive. So an accusation of an incarnation stands until its owner raises it.
 */
import type { Claim, Incarnation, MemberStatus, Statement } from '../model.ts';

/** A claim without its words: what is compared. */
export interface Standing {
  readonly incarnation: Incarnation;
  readonly status: MemberStatus;
}

const weight: Readonly<Record<MemberStatus, number>> = { alive: 0, suspected: 1, dead: 2, left: 3 };

/** Below 0 when `a` is older, 0 when they are the same. */
export function compareIncarnations(a: Incarnation, b: Incarnation): number {
  return a.boot - b.boot || a.counter - b.counter;
}

/** Below 0 when `b` outdoes `a`, 0 when they say the same. */
export function compareStandings(a: Standing, b: Standing): number {
  return (
    a.incarnation.boot - b.incarnation.boot ||
    Number(a.status === 'left') - Number(b.status === 'left') ||
    a.incarnation.counter - b.incarnation.counter ||
    weight[a.status] - weight[b.status]
  );
}

export function standingOf(claim: Claim): Standing {
  return claim.kind === 'stated'
    ? wordsOf(claim.statement)
    : { incarnation: claim.incarnation, status: claim.kind };
}

/** What a member says of itself. Of two words the greater one is kept: a farewell is not forgotten for a former word. */
export function wordsOf({ incarnation, left }: Pick<Statement, 'incarnation' | 'left'>): Standing {
  return { incarnation, status: left ? 'left' : 'alive' };
}

/** The incarnation that outdoes an accusation against oneself, or against one's former boot. */
export function refutation(own: Incarnation, accused: Incarnation): Incarnation {
  return {
    boot: own.boot,
    counter: Math.max(own.counter, accused.boot === own.boot ? accused.counter : 0) + 1,
  };
}
