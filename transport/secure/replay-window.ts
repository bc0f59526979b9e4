/** Which counters of one sender's life were seen: each is accepted once, and none that is too old to remember. */

/** Packets overtake each other by far less. */
const span = 1_024;

export class ReplayWindow {
  /** The highest counter seen; -1 before the first. */
  #highest = -1;
  /** One bit a counter, by its place modulo the span. */
  readonly #seen = new Uint32Array(span / 32);

  /** Whether the counter is new; if so it is taken. */
  take(counter: number): boolean {
    if (counter <= this.#highest - span) return false;
    if (counter > this.#highest) {
      this.#advance(counter);
      return true;
    }
    if (this.#has(counter)) return false;
    this.#set(counter);
    return true;
  }

  #advance(counter: number): void {
    const from = Math.max(this.#highest + 1, counter - span + 1);
    for (let passed = from; passed < counter; passed++) this.#clear(passed);
    this.#highest = counter;
    this.#set(counter);
  }

  #has(counter: number): boolean {
    return ((this.#seen[(counter % span) >>> 5]! >>> (counter & 31)) & 1) === 1;
  }

  #set(counter: number): void {
    this.#seen[(counter % span) >>> 5]! |= 1 << (counter & 31);
  }

  #clear(counter: number): void {
    this.#seen[(counter % span) >>> 5]! &= ~(1 << (counter & 31));
  }
}
