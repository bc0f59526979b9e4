/**
 * The clock of one life of a simulated node. When that life ends, by kill −9 or by stopping, nothing that it set
 * ever fires: whatever still hangs on a promise of it can never run on. It also counts what is armed, so that a
 * stop that leaves a timer behind is seen.
 */
import type { Clock } from '../../../protocols/ports.ts';

interface Armed {
  inner: unknown;
}

export class BootClock implements Clock {
  readonly #world: Clock;
  readonly #armed = new Set<Armed>();
  #ended = false;

  constructor(world: Clock) {
    this.#world = world;
  }

  /** Timers set and neither fired nor cleared. */
  get armed(): number {
    return this.#armed.size;
  }

  get ended(): boolean {
    return this.#ended;
  }

  now(): number {
    return this.#world.now();
  }

  monotonicMs(): number {
    return this.#world.monotonicMs();
  }

  setTimer(delayMs: number, fire: () => void): unknown {
    const armed: Armed = { inner: undefined };
    if (this.#ended) return armed;
    this.#armed.add(armed);
    armed.inner = this.#world.setTimer(delayMs, () => {
      if (this.#armed.delete(armed)) fire();
    });
    return armed;
  }

  clearTimer(timer: unknown): void {
    const armed = timer as Armed | undefined;
    if (armed === undefined || !this.#armed.delete(armed)) return;
    this.#world.clearTimer(armed.inner);
  }

  defer(run: () => void): void {
    if (this.#ended) return;
    this.#world.defer(() => {
      if (!this.#ended) run();
    });
  }

  end(): void {
    this.#ended = true;
    for (const armed of this.#armed) this.#world.clearTimer(armed.inner);
    this.#armed.clear();
  }
}
