/**
 * When leases end: deadlines in memory, one timer. A renewal only moves a deadline, so the timer may fire for nothing
 * and looks again; it never fires for a lease before its time. What an end does is the engine's business.
 */
import type { Clock } from '../../../protocols/ports.ts';

export class LeaseClock {
  readonly #deadlines = new Map<string, number>();
  readonly #clock: Clock;
  readonly #onDue: () => void;
  #timer: { readonly handle: unknown; readonly at: number } | undefined;

  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** A full term from now. */
  renew(id: string, ttlMs: number): void {
    const deadline = this.#clock.monotonicMs() + ttlMs;
    this.#deadlines.set(id, deadline);
    if (!this.#timer || deadline < this.#timer.at) this.#arm(deadline);
  }

  forget(id: string): void {
    this.#deadlines.delete(id);
    if (this.#deadlines.size === 0) this.stop();
  }

  /** Leases whose term is over, in the order in which they were granted. */
  due(): string[] {
    const now = this.#clock.monotonicMs();
    return [...this.#deadlines].filter(([, deadline]) => deadline <= now).map(([id]) => id);
  }

  /** Look again no sooner than `pauseMs` from now. */
  rearm(pauseMs = 0): void {
    if (this.#deadlines.size === 0) return;
    let earliest = this.#clock.monotonicMs() + Number.MAX_SAFE_INTEGER;
    for (const deadline of this.#deadlines.values()) earliest = Math.min(earliest, deadline);
    this.#arm(Math.max(earliest, this.#clock.monotonicMs() + pauseMs));
  }

  stop(): void {
    if (this.#timer) this.#clock.clearTimer(this.#timer.handle);
    this.#timer = undefined;
  }

  #arm(at: number): void {
    this.stop();
    const delayMs = Math.max(0, Math.ceil(at - this.#clock.monotonicMs()));
    const handle = this.#clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      if (this.due().length > 0) this.#onDue();
      else this.rearm();
    });
    this.#timer = { handle, at };
  }
}
