/**
 * Forgets history that nobody may ask for any more: older than `limits.storeHistoryMs` and beyond
 * `limits.storeHistoryRevisions`, in small steps between other work. An idle store arms no timer and writes nothing.
 */
import { limits } from '../../../protocols/limits.ts';
import type { Clock } from '../../../protocols/ports.ts';
import type { Backend } from './backend.ts';

export class Compactor {
  readonly #backend: Backend;
  readonly #clock: Clock;
  #timer: unknown;
  #stopped = false;

  constructor(backend: Backend, clock: Clock) {
    this.#backend = backend;
    this.#clock = clock;
  }

  /** After each commit: arms a look if there is at least a step's worth beyond the count. */
  consider(): void {
    const beyond = this.#backend.revision() - this.#backend.oldest() - limits.storeHistoryRevisions;
    if (this.#stopped || this.#timer !== undefined || beyond < limits.storeCompactBatch) return;
    this.#timer = this.#clock.setTimer(limits.storeCompactMs, () => this.#step(this.#compactable()));
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
  }

  /** The newest revision that may go: commit times never go back, so it is found by halving. */
  #compactable(): number {
    const old = this.#clock.now() - limits.storeHistoryMs;
    let low = this.#backend.oldest();
    let high = this.#backend.revision() - limits.storeHistoryRevisions;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#backend.headOf(middle).at <= old) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #step(through: number): void {
    if (this.#stopped) return;
    const to = Math.min(through, this.#backend.oldest() + limits.storeCompactBatch);
    const done = to <= this.#backend.oldest() || !this.#forget(to);
    if (done || to === through) {
      this.#timer = undefined;
      this.consider();
    } else {
      this.#clock.defer(() => this.#step(through));
    }
  }

  /** A full disk is no reason to stop: the next look tries again. */
  #forget(through: number): boolean {
    try {
      this.#backend.compact(through);
      return true;
    } catch {
      return false;
    }
  }
}
