/**
 * How long one member stays suspected (Lifeguard): long while one node alone suspects it — that node may be the sick
 * one — and shorter with each other node that says the same.
 */
import type { NodeId } from './model.ts';

export interface Suspicion {
  /** ms on the core's clock. */
  readonly startedAt: number;
  readonly shortestMs: number;
  readonly longestMs: number;
  /** How many confirmations bring it to `shortestMs`. */
  readonly confirmations: number;
  /** The first accuser, then those that confirmed, each once. */
  readonly from: readonly NodeId[];
  /** When each of them was heard of here, ms on the core's clock. */
  readonly heardAt: readonly number[];
}

/** The suspicion with `from`'s word, heard `now`; the same object when that is no news: known already, or enough said. */
export function confirmed(suspicion: Suspicion, from: NodeId, now: number): Suspicion {
  const { from: known, heardAt, confirmations } = suspicion;
  if (known.length > confirmations || known.includes(from)) return suspicion;
  return { ...suspicion, from: [...known, from], heardAt: [...heardAt, now] };
}

/** The same as if all had confirmed it. */
export function shortened(suspicion: Suspicion): Suspicion {
  return { ...suspicion, longestMs: suspicion.shortestMs };
}

/** When the member is declared dead, ms on the core's clock. */
export function deadlineOf({ startedAt, shortestMs, longestMs, confirmations, from }: Suspicion): number {
  const heard = from.length - 1;
  const share = confirmations === 0 ? 1 : Math.log(heard + 1) / Math.log(confirmations + 1);
  return startedAt + Math.max(shortestMs, longestMs - share * (longestMs - shortestMs));
}
