/**
 * The store as plain maps: the oracle that the others are compared with, and the store of simulations. Its image can
 * be taken and given to a new one: a machine that loses power, in one line.
 */
import type { Commit, LeaseRow, Row } from '../../../../protocols/state/history.ts';
import type { StoreIdentity } from '../../../../protocols/state/model.ts';
import { lowerBound } from '../../../../protocols/state/order.ts';
import { finalChanges, type Backend, type Batch } from '../backend.ts';
import { StoreEngine, type EngineWorld } from '../engine.ts';

/** Everything durable of a store, at one moment; never changed afterwards. */
export interface StoreImage {
  readonly identity: StoreIdentity;
  readonly oldest: number;
  readonly rows: ReadonlyMap<string, Row>;
  /** From `oldest` + 1 on, without gap. */
  readonly commits: readonly Commit[];
  readonly leases: ReadonlyMap<string, LeaseRow>;
}

class MemoryBackend implements Backend {
  readonly identity: StoreIdentity;
  readonly #rows: Map<string, Row>;
  /** Of `#rows`, in byte order. */
  readonly #keys: string[];
  readonly #leases: Map<string, LeaseRow>;
  #commits: Commit[];
  #oldest: number;

  constructor(image: StoreImage) {
    this.identity = image.identity;
    this.#oldest = image.oldest;
    this.#commits = [...image.commits];
    this.#leases = new Map(image.leases);
    this.#rows = new Map();
    this.#keys = [];
    for (const [key, row] of image.rows) this.#set(key, row);
  }

  revision(): number {
    return this.#oldest + this.#commits.length;
  }

  oldest(): number {
    return this.#oldest;
  }

  row(key: string): Row | undefined {
    return this.#rows.get(key);
  }

  *rows(prefix: string, startAfter = ''): Iterable<readonly [string, Row]> {
    let index = Math.max(lowerBound(this.#keys, prefix), lowerBound(this.#keys, startAfter));
    if (this.#keys[index] === startAfter) index += 1;
    for (let key = this.#keys[index]; key?.startsWith(prefix); key = this.#keys[++index]) {
      yield [key, this.#rows.get(key)!];
    }
  }

  commits(after: number, limit: number): readonly Commit[] {
    return this.#commits.slice(after - this.#oldest, after - this.#oldest + limit);
  }

  headOf(revision: number): Commit {
    return this.#commits[revision - this.#oldest - 1]!;
  }

  leases(): ReadonlyMap<string, LeaseRow> {
    return this.#leases;
  }

  write({ commits, leases }: Batch): void {
    for (const { key, row } of finalChanges(commits)) this.#set(key, row);
    this.#commits.push(...commits);
    for (const [id, lease] of leases) {
      if (lease) this.#leases.set(id, lease);
      else this.#leases.delete(id);
    }
  }

  compact(through: number): void {
    this.#commits = this.#commits.slice(through - this.#oldest);
    this.#oldest = through;
  }

  async close(): Promise<void> {
    // Nothing to let go of.
  }

  image(): StoreImage {
    return {
      identity: this.identity,
      oldest: this.#oldest,
      rows: new Map(this.#rows),
      commits: [...this.#commits],
      leases: new Map(this.#leases),
    };
  }

  #set(key: string, row: Row | undefined): void {
    const index = lowerBound(this.#keys, key);
    const present = this.#keys[index] === key;
    if (row) {
      if (!present) this.#keys.splice(index, 0, key);
      this.#rows.set(key, row);
    } else if (present) {
      this.#keys.splice(index, 1);
      this.#rows.delete(key);
    }
  }
}

export class MemoryStore extends StoreEngine {
  readonly #memory: MemoryBackend;

  constructor(image: StoreImage, world: EngineWorld) {
    const memory = new MemoryBackend(image);
    super(memory, world);
    this.#memory = memory;
  }

  /** What a disk would hold now: every answered write and no other. Works after `close`, too. */
  image(): StoreImage {
    return this.#memory.image();
  }
}

export interface MemoryStoreOptions extends EngineWorld {
  /** Of a fresh store; drawn when absent. */
  readonly identity?: StoreIdentity;
  /** Go on from here, as after a restart: every lease gets its full term again. */
  readonly image?: StoreImage;
}

/** A store that lives as long as the process, or as its image. */
export function createMemoryStore({ clock, random, identity, image }: MemoryStoreOptions): MemoryStore {
  const fresh = (): StoreImage => ({
    identity: identity ?? { id: random.hex(16), epoch: 1 },
    oldest: 0,
    rows: new Map(),
    commits: [],
    leases: new Map(),
  });
  return new MemoryStore(image ?? fresh(), { clock, random });
}
