/**
 * How well this node itself is (Lifeguard's local health): 0 is well. A node that misses answers, must refute what
 * others say of it, or whose event loop lags, probes less often and waits longer before it accuses anybody.
 */

import { worstFactor } from './profile.ts';

const worst = worstFactor - 1;

export class LocalHealth {
  #score = 0;

  /** 0 (well) to 7. */
  get score(): number {
    return this.#score;
  }

  /** By how much waits grow: 1 to 8. */
  get factor(): number {
    return this.#score + 1;
  }

  /** Above 0 worse, below 0 better. */
  note(change: number): void {
    this.#score = Math.min(worst, Math.max(0, this.#score + change));
  }
}
