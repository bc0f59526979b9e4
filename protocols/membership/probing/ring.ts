/**
 * Whom to probe next: all members in a shuffled order, shuffled anew at the end of each round, so that each is probed
 * within two rounds at most. A newcomer gets a place of its own by chance.
 */
import type { Random } from '../../ports.ts';
import type { NodeId } from '../model.ts';

export class ProbeRing {
  readonly #random: Random;
  readonly #order: NodeId[] = [];
  readonly #present = new Set<NodeId>();
  #next = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Once, however often it is added. */
  add(id: NodeId): void {
    if (this.#present.has(id)) return;
    this.#present.add(id);
    const place = Math.floor(this.#random.next() * (this.#order.length + 1));
    this.#order.push(this.#order[place] ?? id);
    this.#order[place] = id;
  }

  /** The next that `isProbed` accepts; `undefined` when there is none. Those that are gone leave at the end of a round. */
  next(isProbed: (id: NodeId) => boolean, isGone: (id: NodeId) => boolean): NodeId | undefined {
    for (let looked = 0; looked <= this.#order.length; looked++) {
      if (this.#next >= this.#order.length) this.#anew(isGone);
      const id = this.#order[this.#next++];
      if (id === undefined) return undefined;
      if (isProbed(id)) return id;
    }
    return undefined;
  }

  #anew(isGone: (id: NodeId) => boolean): void {
    for (const id of this.#order) if (isGone(id)) this.#present.delete(id);
    const kept = shuffled(this.#random, [...this.#present]);
    this.#order.splice(0, this.#order.length, ...kept);
    this.#next = 0;
  }
}

/** A copy in random order. */
export function shuffled<Item>(random: Random, items: readonly Item[]): Item[] {
  const copy = [...items];
  for (let last = copy.length - 1; last > 0; last--) {
    const other = Math.floor(random.next() * (last + 1));
    [copy[last], copy[other]] = [copy[other]!, copy[last]!];
  }
  return copy;
}
