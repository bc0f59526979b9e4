/**
 * The network between simulated machines: one way from each to each, as bad as it is told to be, for datagrams and
 * streams alike. Faults lie over each other; taking one back leaves the others.
 */
import type { MemberAddress } from '../../../protocols/membership/model.ts';
import type { Clock } from '../../../protocols/ports.ts';
import { calm, MemoryDatagrams, type Faults, type Place } from '../../../transport/memory/datagrams.ts';
import { placeOf } from '../../../transport/memory/memory-link.ts';
import { calmStreams, MemoryStreams } from '../../../transport/memory/streams.ts';
import { chanceFor } from './chance.ts';

const port = 4_484;
/** Until a lost packet of a stream is sent again. */
const resendMs = 200;

const nameAt = (place: Place): string => `n${place.split(' ')[0]!.split('.')[3]!}`;

export class Hub {
  readonly datagrams: MemoryDatagrams;
  readonly streams: MemoryStreams;
  readonly #names: readonly string[];
  /** By `from>to`. */
  readonly #cuts = new Map<string, number>();
  readonly #layers = new Map<string, Set<Partial<Faults>>>();
  #base: Faults = calm;
  /** By name: how often it has moved. */
  readonly #moves = new Map<string, number>();

  constructor(clock: Clock, seed: number, names: readonly string[]) {
    this.#names = names;
    this.streams = new MemoryStreams(clock, chanceFor(seed, 'streams'));
    this.datagrams = new MemoryDatagrams(clock, (from, to) =>
      chanceFor(seed, `link ${nameAt(from)} ${nameAt(to)}`),
    );
  }

  /** Of the node with this name: `n3`. */
  addressOf(name: string): MemberAddress {
    return { host: `10.9.0.${name.slice(1)}`, port: port + (this.#moves.get(name) ?? 0) };
  }

  /** From now on it has another address. What befalls the ways of the old one stays there. */
  move(name: string): void {
    this.#moves.set(name, (this.#moves.get(name) ?? 0) + 1);
  }

  #placeOf(name: string): Place {
    return placeOf(this.addressOf(name));
  }

  /** What all ways are like, beside faults. */
  set base(faults: Faults) {
    this.#base = faults;
    this.datagrams.faults = faults;
    // TCP sends again what is lost: it comes later.
    const meanMs = faults.meanMs + faults.loss * resendMs;
    this.streams.faults = { ...calmStreams, delayMs: faults.delayMs, meanMs };
    for (const way of this.#layers.keys()) this.#apply(way);
  }

  isCut(from: string, to: string): boolean {
    return (this.#cuts.get(`${from}>${to}`) ?? 0) > 0;
  }

  /** Nothing passes from the one to the other until it is taken back. */
  cut(from: string, to: string): () => void {
    this.#cutBy(from, to, +1);
    return once(() => this.#cutBy(from, to, -1));
  }

  /** Worse than it is; of two faults of one kind the worse counts. */
  worsen(from: string, to: string, faults: Partial<Faults>): () => void {
    const way = `${from}>${to}`;
    const layers = this.#layers.get(way) ?? new Set();
    this.#layers.set(way, layers);
    layers.add(faults);
    this.#apply(way);
    return once(() => {
      layers.delete(faults);
      this.#apply(way);
    });
  }

  clog(from: string, to: string, ms: number): void {
    for (const network of [this.datagrams, this.streams])
      network.clog(this.#placeOf(from), this.#placeOf(to), ms);
  }

  /** Every way between two different nodes. */
  ways(): readonly (readonly [string, string])[] {
    return this.#names.flatMap((from) =>
      this.#names.flatMap((to) => (from === to ? [] : [[from, to] as const])),
    );
  }

  #cutBy(from: string, to: string, by: number): void {
    const way = `${from}>${to}`;
    const cuts = (this.#cuts.get(way) ?? 0) + by;
    this.#cuts.set(way, cuts);
    for (const network of [this.datagrams, this.streams]) {
      if (cuts > 0) network.cut(this.#placeOf(from), this.#placeOf(to));
      else network.mend(this.#placeOf(from), this.#placeOf(to));
    }
  }

  #apply(way: string): void {
    const [from, to] = way.split('>') as [string, string];
    let faults = this.#base;
    for (const layer of this.#layers.get(way) ?? []) faults = worse(faults, layer);
    this.datagrams.set(this.#placeOf(from), this.#placeOf(to), faults === this.#base ? undefined : faults);
  }
}

function worse(a: Faults, b: Partial<Faults>): Faults {
  const of = (name: keyof Faults) => Math.max(a[name], b[name] ?? 0);
  return {
    ...{ loss: of('loss'), delayMs: of('delayMs'), meanMs: of('meanMs') },
    ...{ duplicate: of('duplicate'), replay: of('replay') },
  };
}

function once(run: () => void): () => void {
  let left = 1;
  return () => {
    if (left-- > 0) run();
  };
}
