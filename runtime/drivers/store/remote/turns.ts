/** Requests that wait for their turn: so many are under way, so many wait, what is beyond is refused. */
import { coded } from '../../../../protocols/errors.ts';
import type { Clock } from '../../../../protocols/ports.ts';

interface Waiting {
  begin(): void;
  refuse(error: Error): void;
  readonly signal: AbortSignal;
}

export class Turns {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #queue: number;
  readonly #waiting: Waiting[] = [];
  #running = 0;
  #scheduled = false;
  #closed = false;

  constructor(clock: Clock, most: number, queue: number) {
    this.#clock = clock;
    this.#most = most;
    this.#queue = queue;
  }

  /** Never begun in this call: whoever gives up at once has asked for nothing. HM-STORE-DOWN when it is not begun at all. */
  take<Value>(run: () => Promise<Value>, signal: AbortSignal): Promise<Value> {
    if (this.#closed) return Promise.reject(coded('HM-STORE-DOWN', 'The store is closed.'));
    if (this.#waiting.length >= this.#queue)
      return Promise.reject(coded('HM-STORE-DOWN', `${this.#queue} requests are waiting already.`));
    return new Promise((resolve, reject) => {
      const begin = (): void => {
        this.#running += 1;
        const end = (): void => {
          this.#running -= 1;
          this.#schedule();
        };
        run().finally(end).then(resolve, reject);
      };
      this.#waiting.push({ begin, refuse: reject, signal });
      this.#schedule();
    });
  }

  close(): void {
    this.#closed = true;
    for (const { refuse } of this.#waiting.splice(0)) refuse(coded('HM-STORE-DOWN', 'The store was closed.'));
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0 || this.#running >= this.#most) return;
    this.#scheduled = true;
    this.#clock.defer(() => {
      this.#scheduled = false;
      while (this.#running < this.#most) {
        const next = this.#waiting.shift();
        if (!next) break;
        if (next.signal.aborted)
          next.refuse(coded('HM-STORE-DOWN', 'Its caller gave up before it was begun.'));
        else next.begin();
      }
    });
  }
}
