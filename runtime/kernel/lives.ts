/**
 * How often each path has lived, and how its last crash looked. Incarnations only grow, also when memory is
 * bounded: a path that was forgotten starts above everything that was ever forgotten.
 */
import type { ActorView } from '../../protocols/inspection.ts';
import { limits } from '../../protocols/limits.ts';
import type { ActorPath } from '../../protocols/wire/address.ts';

export interface Life {
  incarnation: number;
  /** Lives before the present one that are remembered. */
  restarts: number;
  lastCrash: ActorView['lastCrash'];
}

export class Lives {
  readonly #living = new Map<ActorPath, Life>();
  /** Oldest death first. */
  readonly #dead = new Map<ActorPath, Life>();
  #floor = 0;

  /** A new life at the path. */
  begin(path: ActorPath): Life {
    const known = this.#dead.get(path);
    const life = known ?? { incarnation: this.#floor, restarts: -1, lastCrash: undefined };
    this.#dead.delete(path);
    life.incarnation += 1;
    life.restarts += 1;
    this.#living.set(path, life);
    return life;
  }

  end(path: ActorPath): void {
    const life = this.#living.get(path);
    if (life === undefined) return;
    this.#living.delete(path);
    this.#dead.set(path, life);
    if (this.#dead.size <= limits.deadPaths) return;
    const [oldest, forgotten] = this.#dead.entries().next().value!;
    this.#dead.delete(oldest);
    this.#floor = Math.max(this.#floor, forgotten.incarnation);
  }

  of(path: ActorPath): Life | undefined {
    return this.#living.get(path) ?? this.#dead.get(path);
  }
}
