/** What falls due when, the soonest first: a binary heap. Setting a key anew replaces its deadline. */

interface Due<Key> {
  readonly key: Key;
  readonly at: number;
  readonly order: number;
}

export class Deadlines<Key> {
  readonly #heap: Due<Key>[] = [];
  readonly #valid = new Map<Key, Due<Key>>();
  #order = 0;

  set(key: Key, at: number): void {
    const due = { key, at, order: ++this.#order };
    this.#valid.set(key, due);
    this.#push(due);
  }

  delete(key: Key): void {
    this.#valid.delete(key);
  }

  at(key: Key): number | undefined {
    return this.#valid.get(key)?.at;
  }

  /** The soonest; `undefined` when none is set. */
  next(): number | undefined {
    this.#drop();
    return this.#heap[0]?.at;
  }

  /** Takes the soonest that is due at `now`. */
  take(now: number): Key | undefined {
    this.#drop();
    const first = this.#heap[0];
    if (!first || first.at > now) return undefined;
    this.#valid.delete(first.key);
    this.#pop();
    return first.key;
  }

  /** Every deadline `byMs` later: time in which this node could not have heard anything does not count. */
  postpone(byMs: number): void {
    const all = [...this.#valid.values()].sort((a, b) => a.order - b.order);
    this.#heap.length = 0;
    for (const { key, at } of all) this.set(key, at + byMs);
  }

  /** Replaced and deleted ones leave the heap when they reach its top. */
  #drop(): void {
    while (this.#heap.length > 0 && this.#valid.get(this.#heap[0]!.key) !== this.#heap[0]) this.#pop();
  }

  #push(due: Due<Key>): void {
    const heap = this.#heap;
    let at = heap.push(due) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!before(due, heap[above]!)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = due;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && before(heap[below + 1]!, heap[below]!)) below += 1;
      if (!before(heap[below]!, last)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
  }
}

function before<Key>(a: Due<Key>, b: Due<Key>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
