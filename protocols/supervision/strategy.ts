/** Who is restarted, and why: the two tables of OTP's supervisor. */
import type { ExitReason, Restart, Strategy } from './child-spec.ts';

/** `killed` counts as a failure: nobody ends that way on purpose but by its supervisor, which does not ask. */
export function isFailure(exit: ExitReason): boolean {
  return exit.kind === 'error' || exit.kind === 'killed';
}

export function isRestarted(restart: Restart, exit: ExitReason): boolean {
  switch (restart) {
    case 'permanent':
      return true;
    case 'transient':
      return isFailure(exit);
    case 'temporary':
      return false;
  }
}

/** The siblings that go down and up again together with the one that failed, in start order. */
export function siblingsOf(strategy: Strategy, order: readonly string[], failed: string): readonly string[] {
  switch (strategy) {
    case 'one_for_one':
    case 'dynamic':
      return [];
    case 'one_for_all':
      return order.filter((id) => id !== failed);
    case 'rest_for_one':
      return order.slice(order.indexOf(failed) + 1);
  }
}

/** Strategies whose children depend on each other: they stop and start in order, also in a restart. */
export function isGroup(strategy: Strategy): boolean {
  return strategy === 'one_for_all' || strategy === 'rest_for_one';
}
