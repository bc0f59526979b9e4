/**
 * What follows the end of a run: the restart policy, its budget and its backoff. Pure. It guards the user's
 * process; supervision of our own actors is another thing (`protocols/supervision`).
 */
import { limits } from '../limits.ts';
import type { RestartPolicy, ServiceSpec } from '../apps/model.ts';

export interface RunHistory {
  /** Restarts of this placement so far: the visible budget. */
  readonly restarts: number;
  /** Failures in a row since the last run that lasted, see `stableMs`. */
  readonly failuresInARow: number;
}

export type AfterExit =
  | { readonly next: 'restart'; readonly delayMs: number; readonly history: RunHistory }
  | { readonly next: 'completed' }
  | { readonly next: 'failed'; readonly because: 'policy' | 'budget' };

/** A job runs to its end: success is never restarted, whatever the file says of services. */
export function policyOf({ mode, restart }: Pick<ServiceSpec, 'mode' | 'restart'>): RestartPolicy {
  const isJob = mode === 'replicated-job' || mode === 'global-job';
  return isJob && restart.condition === 'always' ? { ...restart, condition: 'on-failure' } : restart;
}

/** A run that lived this long has succeeded: the failures before it are forgiven. */
export const stableMs = (policy: RestartPolicy): number => policy.windowMs || limits.backoffResetMs;

/** It fails again and again: told as such. */
export const isCrashLoop = ({ failuresInARow }: RunHistory): boolean =>
  failuresInARow >= limits.crashLoopFailures;

/** `code` undefined: the container was lost, which counts as a failure. `livedMs`: how long the run was up. */
export function afterExit(
  policy: RestartPolicy,
  history: RunHistory,
  code: number | undefined,
  livedMs: number,
): AfterExit {
  const succeeded = code === 0;
  if (succeeded && policy.condition !== 'always') return { next: 'completed' };
  if (policy.condition === 'none') return { next: 'failed', because: 'policy' };
  const lasted = livedMs >= stableMs(policy);
  // Only a window that the file names gives the budget back.
  const restarts = lasted && policy.windowMs ? 0 : history.restarts;
  if (policy.maxAttempts !== undefined && restarts >= policy.maxAttempts)
    return { next: 'failed', because: 'budget' };
  const failuresInARow = lasted ? 1 : history.failuresInARow + 1;
  return {
    next: 'restart',
    delayMs: delayMs(policy, failuresInARow),
    history: { restarts: restarts + 1, failuresInARow },
  };
}

/** The policy's own delay is the first step; a loop is slowed down all the same. */
function delayMs(policy: RestartPolicy, failuresInARow: number): number {
  const first = policy.delayMs;
  if (first === undefined) return backoffMs(failuresInARow);
  if (failuresInARow <= 1) return first;
  const doubled = first * 2 ** Math.min(30, failuresInARow - 1);
  return Math.max(first, Math.min(limits.backoffMaxMs, Math.max(doubled, backoffMs(failuresInARow))));
}

/** No end of a run is followed by a longer delay, before chance. */
export const longestDelayMs = (policy?: RestartPolicy): number =>
  Math.max(limits.backoffMaxMs, policy?.delayMs ?? 0);

/** Before chance: 500 ms, 1 s, 2 s, … 30 s. */
export function backoffMs(failuresInARow: number): number {
  return Math.min(
    limits.backoffMaxMs,
    limits.backoffMinMs * 2 ** Math.min(30, Math.max(0, failuresInARow - 1)),
  );
}
