/** When a certificate is renewed: at two thirds of its term, and again and again until it is done. */
import { limits } from '../limits.ts';

/**
 * ms until the renewal is due; 0 when it is, also for a certificate of the future: it was made by a clock that was set since.
 * `term`: first and last moment of the certificate. All ms since 1970.
 */
export function renewalDelay([from, to]: readonly [number, number], now: number): number {
  if (now < from) return 0;
  return Math.max(0, from + ((to - from) * 2) / 3 - now);
}

/** ms until the next try after so many that failed, by a number of chance in [0, 1): doubling, no two nodes in step. */
export function renewalRetry(failures: number, chance: number): number {
  const most = Math.min(limits.renewalRetryMostMs, limits.renewalRetryMs * 2 ** Math.min(failures, 20));
  return most / 2 + (most / 2) * chance;
}
