/** Another store in place of the true one for a while: empty, foreign, or the true one as it was. */
import type { Commit } from '../../../protocols/state/history.ts';
import { keys } from '../../../protocols/state/keys.ts';
import { createMemoryStore, type StoreImage } from '../../drivers/store/memory/memory-store.ts';
import { chanceFor } from '../../world/simulated/chance.ts';
import type { SimulatedWorld } from '../../world/simulated/simulated-world.ts';

export type FalseKind = 'empty' | 'foreign' | 'older';

/** Of who is in the cluster nothing that follows the store takes note: one that is older in that alone is not older for it. */
const ofCluster = [
  ...[keys.members, keys.joinTokens, keys.gossipRing, keys.cluster, keys.sealedUnder('cluster')],
  keys.blocks,
];
const isOfApps = ({ changes }: Commit): boolean =>
  changes.some(({ key }) => !ofCluster.some((prefix) => key.startsWith(prefix)));

export class FalseStore {
  readonly #world: SimulatedWorld;
  readonly #onFalse: (there: boolean) => void;
  #there = false;
  /** The true store as it was a while ago. */
  #older: StoreImage;

  constructor(world: SimulatedWorld, onFalse: (there: boolean) => void) {
    this.#world = world;
    this.#onFalse = onFalse;
    this.#older = world.memory.image();
  }

  get there(): boolean {
    return this.#there;
  }

  enter(as: FalseKind): void {
    const { clock, memory, seed } = this.#world;
    const random = chanceFor(seed, `false store ${clock.monotonicMs()}`);
    const since = memory.image().commits.slice(this.#older.commits.length);
    const older = as === 'older' && since.some(isOfApps);
    const other = createMemoryStore({
      clock,
      random,
      ...(older
        ? { image: this.#older }
        : as === 'foreign'
          ? { image: { ...memory.image(), identity: { id: random.hex(16), epoch: 1 } } }
          : {}),
    });
    this.#there = true;
    this.#onFalse(true);
    this.#world.showStore(other);
  }

  leave(): void {
    if (!this.#there) return;
    this.#there = false;
    this.#onFalse(false);
    this.#world.showStore(this.#world.memory);
  }

  /** Remembers the store as it is, for a later return to it. */
  remember(): void {
    if (!this.#there) this.#older = this.#world.memory.image();
  }
}
