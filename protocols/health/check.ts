/**
 * Compose's health check as a reducer: results in, verdict out. Until the first pass it is probed more often than the
 * interval says, so failures are counted by time: one for each interval since the start period ended.
 */
import type { HealthcheckSpec } from '../apps/model.ts';

export type Verdict = 'starting' | 'healthy' | 'unhealthy';

export interface CheckTally {
  readonly verdict: Verdict;
  readonly failuresInARow: number;
  readonly lastOutput: string;
}

export const freshTally: CheckTally = { verdict: 'starting', failuresInARow: 0, lastOutput: '' };

/** `upMs`: how long the container has been running. */
export function tally(
  spec: HealthcheckSpec,
  before: CheckTally,
  passed: boolean,
  output: string,
  upMs: number,
): CheckTally {
  if (passed) return { verdict: 'healthy', failuresInARow: 0, lastOutput: output };
  const counted = Math.max(0, Math.floor((upMs - spec.startPeriodMs) / spec.intervalMs));
  const failuresInARow = before.verdict === 'starting' ? counted : before.failuresInARow + 1;
  const verdict = failuresInARow >= spec.retries ? 'unhealthy' : before.verdict;
  return { verdict, failuresInARow, lastOutput: output };
}
