/**
 * How other nodes reach the store in the first server's process: silent while no way leads there and back or the server
 * stands still, down while its process is.
 */
import type { SimulatedWorld } from '../../world/simulated/simulated-world.ts';
import type { NodeRun } from '../node/node-run.ts';

export class StoreWay {
  readonly #world: SimulatedWorld;
  readonly #nodes: readonly NodeRun[];

  constructor(world: SimulatedWorld, nodes: readonly NodeRun[]) {
    this.#world = world;
    this.#nodes = nodes;
    world.hub.onCut = () => this.look();
  }

  /** Something may have changed. */
  look(): void {
    const [server, ...others] = this.#nodes;
    for (const { place } of others) place.store.link = this.#reach(server!, place.name);
  }

  #reach({ place, life }: NodeRun, from: string): 'up' | 'down' | 'silent' {
    if (!life.isUp) return 'down';
    const { hub } = this.#world;
    const cut = hub.isCut(from, place.name) || hub.isCut(place.name, from);
    return cut || !life.listens ? 'silent' : 'up';
  }
}
