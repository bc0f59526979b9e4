/** Faults that last: how many are open, and that the end of an older one of a kind does not heal a newer. */
import type { Clock } from '../../../protocols/ports.ts';

export class Windows {
  readonly #clock: Clock;
  #open = 0;
  #healed = false;
  /** By kind: the number of its newest window. */
  readonly #newest = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get open(): number {
    return this.#open;
  }

  /** Without a kind nothing supersedes it. */
  begin(kind: string | undefined, forMs: number, begin: () => void, end: () => void): void {
    const number = kind === undefined ? 0 : (this.#newest.get(kind) ?? 0) + 1;
    if (kind !== undefined) this.#newest.set(kind, number);
    this.#open += 1;
    begin();
    this.#clock.setTimer(forMs, () => {
      if (this.#healed) return;
      this.#open -= 1;
      if (kind === undefined || this.#newest.get(kind) === number) end();
    });
  }

  /** All are over, and their own ends do nothing any more. */
  heal(): void {
    this.#healed = true;
    this.#open = 0;
    this.#newest.clear();
  }
}
