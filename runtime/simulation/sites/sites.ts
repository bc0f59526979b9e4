/** The awkward places of one seed: whether each strikes now, and how often it has. */
import { limits } from '../../../protocols/limits.ts';
import type { Random } from '../../../protocols/ports.ts';
import { chanceFor } from '../../world/simulated/chance.ts';
import type { SimulatedWorld } from '../../world/simulated/simulated-world.ts';
import type { Plan } from '../plans/plan.ts';
import { lateMs, queueMs, sites, slowMs, timerMs, tinyBounds, type Site, type SiteName } from './list.ts';

const names = Object.keys(sites) as readonly SiteName[];
const everyMs = 1_000;

/** Drawn apart from the plan: the rest of a seed is the same with them and without. */
export function withSites(seed: number, plan: Plan): Plan {
  const random = chanceFor(seed, 'sites');
  const drawn = names.filter((name) => {
    const { share, several }: Site = sites[name];
    return random.next() < share && (plan.cluster !== undefined || !several);
  });
  return drawn.length > 0 ? { ...plan, sites: drawn } : plan;
}

/** Runs with the bounds of these sites, and puts those back that all others have. */
export async function withBounds<Value>(
  chosen: readonly SiteName[],
  run: () => Promise<Value>,
): Promise<Value> {
  const before = { ...limits };
  Object.assign(limits, ...chosen.map((name) => tinyBounds[name] ?? {}));
  try {
    return await run();
  } finally {
    Object.assign(limits, before);
  }
}

export class Sites {
  readonly #world: SimulatedWorld;
  readonly #chosen: ReadonlySet<SiteName>;
  readonly #random = new Map<SiteName, Random>();
  readonly #struck = new Map<SiteName, number>();
  #healed = false;

  constructor(world: SimulatedWorld, chosen: readonly SiteName[]) {
    this.#world = world;
    this.#chosen = new Set(chosen);
    for (const name of chosen) {
      this.#random.set(name, chanceFor(world.seed, `site ${name}`));
      if (name in tinyBounds) this.#struck.set(name, 1);
    }
    this.#stand();
  }

  /** By `site NAME`, as checkers are. */
  counts(): readonly (readonly [string, number])[] {
    return names.map((name) => [`site ${name}`, this.#struck.get(name) ?? 0] as const);
  }

  /** None strikes any more; bounds stay. */
  heal(): void {
    this.#healed = true;
  }

  #stand(): void {
    const has = (name: SiteName) => this.#chosen.has(name);
    for (const { store, disk, time } of this.#world.nodes) {
      if (has('store.late')) store.sites.lateMs = () => this.#upTo('store.late', lateMs);
      if (has('store.unknown')) store.sites.isUnknown = () => this.#strikes('store.unknown');
      if (has('watch.compacted')) store.sites.isCompacted = () => this.#strikes('watch.compacted');
      if (has('journal.slow')) disk.lateMs = () => this.#upTo('journal.slow', slowMs);
      if (has('timer.late')) time.lateMs = () => this.#upTo('timer.late', timerMs);
    }
    const { hub } = this.#world;
    if (has('stream.refused')) hub.streams.refuses = () => this.#strikes('stream.refused');
    if (has('stream.reset')) hub.streams.resets = () => this.#strikes('stream.reset');
    if (has('datagram.queued')) this.#queue();
  }

  #queue(): void {
    const { clock, hub } = this.#world;
    clock.setTimer(everyMs, () => {
      if (this.#healed) return;
      const ms = this.#upTo('datagram.queued', queueMs);
      const ways = hub.ways();
      const way = ways[Math.floor(this.#draw('datagram.queued') * ways.length)];
      if (ms > 0 && way) hub.clog(way[0], way[1], ms);
      this.#queue();
    });
  }

  #draw(name: SiteName): number {
    return this.#random.get(name)!.next();
  }

  #strikes(name: SiteName): boolean {
    if (this.#healed || this.#draw(name) >= sites[name].rate) return false;
    this.#struck.set(name, (this.#struck.get(name) ?? 0) + 1);
    return true;
  }

  #upTo(name: SiteName, ms: number): number {
    return this.#strikes(name) ? Math.ceil(this.#draw(name) * ms) : 0;
  }
}
