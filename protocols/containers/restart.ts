/**
 * What follows the end of a run: the restart policy, its budget and its backoff. Pure. It guards the user's
 * process; supervision of our own actors is another thing (`protocols/supervision`).
 */
import { limits } from '../limits.ts';
import type { RestartPolicy } from '../apps/model.ts';

export interface RunHistory {
  /** Restarts of this placement so far: the visible budget. */
  readonly restarts: number;
  /** Failures in a row since the last run that lasted `limits.backoffResetMs`. */
  readonly failuresInARow: number;
}

export type AfterExit =
  | { readonly next: 'restart'; readonly delayMs: number; readonly history: RunHistory }
  | { readonly next: 'completed' }
  | { readonly next: 'failed'; readonly because: 'policy' | 'budget' };

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
  if (policy.maxAttempts !== undefined && history.restarts >= policy.maxAttempts)
    return { next: 'failed', because: 'budget' };
  const failuresInARow = livedMs >= limits.backoffResetMs ? 1 : history.failuresInARow + 1;
  return {
    next: 'restart',
    delayMs: backoffMs(failuresInARow),
    history: { restarts: history.restarts + 1, failuresInARow },
  };
}

/** Before chance: 500 ms, 1 s, 2 s, … 30 s. */
export function backoffMs(failuresInARow: number): number {
  return Math.min(
    limits.backoffMaxMs,
    limits.backoffMinMs * 2 ** Math.min(30, Math.max(0, failuresInARow - 1)),
  );
}
