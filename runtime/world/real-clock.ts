/** Time as the machine has it. */
import type { Clock } from '../../protocols/ports.ts';

export const realClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer: (delayMs, fire) => setTimeout(fire, delayMs),
  clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
  defer: (run) => void setImmediate(run),
};
