/**
 * The scripted engine's own health: it answers, is down, or hangs; a call waits its time in it, and is cut off
 * when the engine goes. What containerd does to its clients, without containers.
 */
import { coded } from '../../../../protocols/errors.ts';
import type { Call, Clock, Random } from '../../../../protocols/ports.ts';

export type Health = 'up' | 'down' | 'hung';

/** Whoever makes calls: when it goes, they are cut off. */
export class Client {
  readonly #waits = new Set<() => void>();
  #gone = false;

  get gone(): boolean {
    return this.#gone;
  }

  /** Run when the client goes; returns the way to take it back. */
  onGone(run: () => void): () => void {
    this.#waits.add(run);
    return () => this.#waits.delete(run);
  }

  leave(): void {
    this.#gone = true;
    for (const run of [...this.#waits]) run();
    this.#waits.clear();
  }
}

export class Engine {
  readonly #clock: Clock;
  readonly #random: Random;
  #health: Health = 'up';
  /** Calls inside: told when the health changes. */
  readonly #inside = new Set<(health: Health) => void>();
  readonly #listeners = new Set<(health: Health) => void>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  get health(): Health {
    return this.#health;
  }

  /** Calls under way. */
  get calls(): number {
    return this.#inside.size;
  }

  turn(health: Health): void {
    if (health === this.#health) return;
    this.#health = health;
    for (const told of [...this.#inside]) told(health);
    for (const told of [...this.#listeners]) told(health);
  }

  /** Down and up again at once: every call under way is cut off. */
  bounce(): void {
    this.turn('down');
    this.turn('up');
  }

  onTurn(listener: (health: Health) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Between half and one and a half of it. */
  about(ms: number): number {
    return Math.round(ms * (0.5 + this.#random.next()));
  }

  /**
   * Resolves after the engine has worked on the call for about so long. HM-RUNTIME-DOWN when it is or goes down,
   * HM-RUNTIME-TIMEOUT when nobody waits any more.
   */
  work(call: Call, tookMs: number, client?: Client): Promise<void> {
    return new Promise((resolve, reject) => {
      if (call.signal.aborted || client?.gone) return reject(timedOut());
      if (this.#health === 'down') return reject(down());
      let leftMs = this.about(tookMs);
      let since = this.#clock.monotonicMs();
      let timer: unknown;
      const leave = (settle: () => void) => {
        this.#clock.clearTimer(timer);
        this.#inside.delete(told);
        call.signal.removeEventListener('abort', abandoned);
        stay?.();
        settle();
      };
      const run = () => {
        since = this.#clock.monotonicMs();
        timer = this.#clock.setTimer(leftMs, () => leave(resolve));
      };
      const told = (health: Health) => {
        if (health === 'down') return leave(() => reject(down()));
        if (health === 'up') return run();
        leftMs = Math.max(0, leftMs - (this.#clock.monotonicMs() - since));
        this.#clock.clearTimer(timer);
      };
      const abandoned = () => leave(() => reject(timedOut()));
      const stay = client?.onGone(abandoned);
      this.#inside.add(told);
      call.signal.addEventListener('abort', abandoned);
      if (this.#health === 'up') run();
    });
  }
}

const down = () => coded('HM-RUNTIME-DOWN');
const timedOut = () => coded('HM-RUNTIME-TIMEOUT');
