/**
 * Virtual time: a clock that steps from deadline to deadline. Nothing happens between two deadlines, so a
 * simulated hour costs what happens in it. Timers of one deadline fire in the order they were set; deferred work
 * runs before time moves on. It is not a fake of Node's timers: who wants time to pass calls `step` or `advance`.
 *
 * Invariant: `now` never exceeds the deadline of a timer that has not fired.
 */
import type { Clock } from '../../protocols/ports.ts';

interface Timer {
  readonly deadlineMs: number;
  /** Set order, the tie-break. */
  readonly order: number;
  /** Undefined once fired or cleared; cleared timers leave the heap when they reach its top. */
  fire: (() => void) | undefined;
}

/** 2026-01-01T00:00:00Z: a plausible date, so that formatted times read well. */
const defaultStartMs = 1_767_225_600_000;

/**
 * Of a delay that is not none. Shorter ones are what rounding leaves of a deadline; added to a long time they vanish, and
 * who waits for its deadline would wait for ever.
 */
const shortestMs = 0.001;

export class HeapClock implements Clock {
  readonly #startMs: number;
  #elapsedMs = 0;
  #order = 0;
  #armed = 0;
  readonly #heap: Timer[] = [];
  #deferred: (() => void)[] = [];

  constructor(startMs: number = defaultStartMs) {
    this.#startMs = startMs;
  }

  now(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  setTimer(delayMs: number, fire: () => void): unknown {
    const waitMs = delayMs > 0 ? Math.max(shortestMs, delayMs) : 0;
    const timer = { deadlineMs: this.#elapsedMs + waitMs, order: ++this.#order, fire };
    this.#armed += 1;
    push(this.#heap, timer);
    return timer;
  }

  clearTimer(timer: unknown): void {
    const known = timer as Timer | undefined;
    if (known?.fire === undefined) return;
    known.fire = undefined;
    this.#armed -= 1;
  }

  defer(run: () => void): void {
    this.#deferred.push(run);
  }

  /** Timers that will still fire. */
  get timers(): number {
    return this.#armed;
  }

  /** Whether something wants to run before time may pass. */
  get busy(): boolean {
    return this.#deferred.length > 0;
  }

  /** Milliseconds until the next timer, `undefined` when there is none. */
  untilNextMs(): number | undefined {
    const next = this.#peek();
    return next === undefined ? undefined : next.deadlineMs - this.#elapsedMs;
  }

  /** Runs what was deferred, or else moves to the next deadline and fires one timer. False when nothing was there, up to `withinMs` from now. */
  step(withinMs = Infinity): boolean {
    if (this.#deferred.length > 0) {
      const batch = this.#deferred;
      this.#deferred = [];
      for (const run of batch) run();
      return true;
    }
    const timer = this.#peek();
    if (timer === undefined || timer.deadlineMs - this.#elapsedMs > withinMs) return false;
    pop(this.#heap);
    this.#elapsedMs = timer.deadlineMs;
    const fire = timer.fire!;
    timer.fire = undefined;
    this.#armed -= 1;
    fire();
    return true;
  }

  /** Lets time pass, with all promises settled before every step; time stands at the end even if nothing happened. */
  async advance(byMs: number): Promise<void> {
    const endMs = this.#elapsedMs + byMs;
    do await turn();
    while (this.step(endMs - this.#elapsedMs));
    this.#elapsedMs = endMs;
  }

  /** Runs everything that needs no time. */
  async settle(): Promise<void> {
    await this.advance(0);
  }

  #peek(): Timer | undefined {
    while (this.#heap.length > 0 && this.#heap[0]!.fire === undefined) pop(this.#heap);
    return this.#heap[0];
  }
}

/** One turn of the real event loop: every promise that can settle has settled afterwards. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Every promise that needs nothing of the real world has settled afterwards, as with `turn`, for a fraction of its cost:
 * Node runs its ticks when no promise has anything left to do. The event loop does not turn, so who waits for files,
 * sockets or rejections that nobody handled must `turn` now and then.
 */
export function settled(): Promise<void> {
  return new Promise((resolve) => queueMicrotask(() => process.nextTick(resolve)));
}

function before(a: Timer, b: Timer): boolean {
  return a.deadlineMs < b.deadlineMs || (a.deadlineMs === b.deadlineMs && a.order < b.order);
}

function push(heap: Timer[], timer: Timer): void {
  let at = heap.length;
  heap.push(timer);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!before(timer, heap[parent]!)) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = timer;
}

function pop(heap: Timer[]): void {
  const last = heap.pop()!;
  const size = heap.length;
  if (size === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= size) break;
    if (child + 1 < size && before(heap[child + 1]!, heap[child]!)) child += 1;
    if (!before(heap[child]!, last)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
}
