/**
 * Whether two nodes have the same time. Terms of certificates, ages of records and expiring tokens are compared between
 * machines: a clock that is an hour off makes each of them wrong, so it is said at the first contact.
 */
import { reason, type Reason } from '../errors.ts';
import { limits } from '../limits.ts';

/** Wall times, ms since 1970, taken at the same moment but for the way between. */
export interface ClockPair {
  readonly own: number;
  readonly theirs: number;
  /** Whose the other is, as people name it. */
  readonly who: string;
}

/** HM-CLUSTER-CLOCK with both times, or `undefined` when they are close enough. */
export function clockReason({ own, theirs, who }: ClockPair): Reason | undefined {
  const apartMs = Number.isFinite(theirs) ? Math.abs(own - theirs) : own;
  if (apartMs <= limits.clusterSkewMs) return undefined;
  const [here, there] = [timeText(own), timeText(theirs)];
  return reason(
    'HM-CLUSTER-CLOCK',
    `the clock here says ${here}, that of ${who} says ${there}: ${Math.round(apartMs / 1_000)} s apart, at most ${limits.clusterSkewMs / 1_000} s are allowed`,
    { here, there, apartMs, node: who },
  );
}

/** UTC to the second; for any number. */
export function timeText(ms: number): string {
  // The range of a Date.
  if (!Number.isFinite(ms) || Math.abs(ms) > 8.64e15) return 'no time';
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
