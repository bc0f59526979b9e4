/** How long a child waits before its next life. Counted per child: a storm of others postpones nobody. */
import type { Backoff } from './child-spec.ts';

/** ms before restart number `failures` + 1 in a row, without the jitter that the kernel adds. Never 0, so a restart is never synchronous. */
export function restartDelayMs(backoff: Backoff, failures: number): number {
  const grown = backoff.minMs * backoff.factor ** failures;
  return Math.max(1, Math.round(Math.min(backoff.maxMs, grown)));
}
