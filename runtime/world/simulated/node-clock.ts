/**
 * A machine's time and its threads, as bad as real ones: the wall clock is off, jumps and runs too fast or too slow; a
 * thread may stand still (a blocked event loop, SIGSTOP) while the world goes on, and then does everything that came
 * meanwhile, overdue timers and input in the order of their coming.
 *
 * Invariant: an exact clock of a thread that never stood still changes nothing: not even the order of what happens.
 */
import type { Clock } from '../../../protocols/ports.ts';

/** What the threads of one machine read. It outlives every process. */
export class MachineTime {
  readonly #world: Clock;
  /** Of both clocks against true time; quartz is good to 0.0001. */
  #rate = 1;
  #wallOffsetMs = 0;
  #sinceMs = 0;
  #elapsedMs = 0;
  /** How much later a timer fires than it was set for: see `runtime/simulation/sites`. */
  lateMs: (() => number) | undefined;

  constructor(world: Clock) {
    this.#world = world;
  }

  now(): number {
    if (this.#rate === 1 && this.#wallOffsetMs === 0) return this.#world.now();
    const aheadMs = this.monotonicMs() - this.#world.monotonicMs();
    return Math.floor(this.#world.now() + aheadMs + this.#wallOffsetMs);
  }

  monotonicMs(): number {
    const trueMs = this.#world.monotonicMs();
    return this.#rate === 1 && this.#sinceMs === 0
      ? trueMs
      : this.#elapsedMs + (trueMs - this.#sinceMs) * this.#rate;
  }

  /** How long the world takes until this machine holds `ms` for over. */
  trueMs(ms: number): number {
    return this.#rate === 1 ? ms : ms / this.#rate;
  }

  /** The wall clock is set: forwards or backwards. */
  jump(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  drift(rate: number): void {
    this.#elapsedMs = this.monotonicMs();
    this.#sinceMs = this.#world.monotonicMs();
    this.#rate = rate;
  }

  /** Somebody sets it right. */
  correct(): void {
    this.drift(1);
    this.#wallOffsetMs = this.#world.monotonicMs() - this.monotonicMs();
  }
}

/** One thread of one process. */
export class ThreadClock implements Clock {
  readonly #world: Clock;
  readonly #time: MachineTime;
  /** Why it stands still: so many causes at once. */
  #causes = 0;
  /** What came meanwhile. */
  readonly #held: (() => void)[] = [];

  constructor(world: Clock, time: MachineTime) {
    this.#world = world;
    this.#time = time;
  }

  /** Also while it does what came meanwhile. */
  get stands(): boolean {
    return this.#causes > 0 || this.#held.length > 0;
  }

  now(): number {
    return this.#time.now();
  }

  monotonicMs(): number {
    return this.#time.monotonicMs();
  }

  setTimer(delayMs: number, fire: () => void): unknown {
    const lateMs = this.#time.lateMs?.() ?? 0;
    return this.#world.setTimer(this.#time.trueMs(delayMs) + lateMs, () => this.arrive(fire));
  }

  /** What fired while the thread stood still can no longer be cleared here: `BootClock` sees to that. */
  clearTimer(timer: unknown): void {
    this.#world.clearTimer(timer);
  }

  defer(run: () => void): void {
    this.#world.defer(() => this.arrive(run));
  }

  /** Something from outside wants to run on this thread: at once, or when it goes on and all that came before is done. */
  arrive(run: () => void): void {
    if (this.#causes > 0 || this.#held.length > 0) this.#held.push(run);
    else run();
  }

  /** Answers how to let it go on. */
  halt(): () => void {
    this.#causes += 1;
    let halted = true;
    return () => {
      if (!halted) return;
      halted = false;
      this.#causes -= 1;
      if (this.#causes === 0) this.#goOn();
    };
  }

  /** One thing at a time, with its promises: what comes in between comes after. */
  #goOn(): void {
    if (this.#causes > 0 || this.#held.length === 0) return;
    const run = this.#held[0]!;
    this.#world.setTimer(0, () => {
      if (this.#causes > 0 || this.#held[0] !== run) return;
      run();
      this.#held.shift();
      this.#goOn();
    });
  }
}
