/**
 * Whether this node's main thread still turns, as its membership subtree sees it. The subtree vouches for the whole node:
 * so it must not go on saying that all is well when the part that runs containers hangs.
 */

/** Between two ticks of the main thread, ms; looks are half to twice as far apart. */
export const tickMs = 500;
/** A garbage collection, a large answer or a loaded disk take less. */
const stalledMs = 5_000;
/** From here on it is better that others take over what this node holds. */
const silentMs = 30_000;

export type MainLoop = 'turning' | 'stalled' | 'silent';

export class Vigil {
  #quietMs = 0;

  /** A tick came. */
  tick(): void {
    this.#quietMs = 0;
  }

  /**
   * `sinceMs` passed since the last look. When this thread itself did not run, as in a machine that was suspended, ticks
   * may lie in its queue unread: then no more than twice the usual counts.
   */
  look(sinceMs: number): MainLoop {
    this.#quietMs += Math.min(sinceMs, 2 * tickMs);
    if (this.#quietMs < stalledMs) return 'turning';
    return this.#quietMs < silentMs ? 'stalled' : 'silent';
  }
}
