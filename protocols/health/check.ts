/** Compose's health check as a reducer: results in, verdict out. Failures within the start period, or the first interval, do not count. */
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
  if (before.verdict === 'starting' && upMs < Math.max(spec.startPeriodMs, spec.intervalMs))
    return { ...before, lastOutput: output };
  const failuresInARow = before.failuresInARow + 1;
  const verdict = failuresInARow >= spec.retries ? 'unhealthy' : before.verdict;
  return { verdict, failuresInARow, lastOutput: output };
}
