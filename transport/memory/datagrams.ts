/**
 * A network of datagrams in memory, as bad as it is told to be: it loses, delays, reorders, doubles and replays packets,
 * cuts ways one way or both, clogs them, and drops what is longer than its MTU. Everything follows from its clock and
 * its random source.
 */
import type { Clock, Random } from '../../protocols/ports.ts';

/** `host port`. */
export type Place = string;

export interface Faults {
  /** Share of packets that never arrive, 0–1. */
  loss: number;
  /** Each packet takes at least `delayMs`, on average `meanMs` more (exponentially spread: so packets overtake each other). */
  delayMs: number;
  meanMs: number;
  /** Share of packets that arrive twice, and share of packets after which an older one of the same way arrives again. */
  duplicate: number;
  replay: number;
}

export const calm: Faults = { loss: 0, delayMs: 0.2, meanMs: 0.3, duplicate: 0, replay: 0 };

type Receive = (from: Place, bytes: Uint8Array) => void;

/** From one place to another. */
interface Way {
  readonly from: Place;
  readonly to: Place;
  cut: boolean;
  /** Better or worse than the others. */
  own: Faults | undefined;
  cloggedUntil: number;
  /** Packets. */
  underWay: number;
  /** Its own, where each way has one. */
  random: Random | undefined;
}

interface Packet {
  readonly from: Place;
  readonly to: Place;
  readonly bytes: Uint8Array;
}

/** Packets under way that one way holds at most; more are lost, as in a full queue. */
const wayCapacity = 4_096;
/** Packets remembered for replays. */
const remembered = 256;
/** Ways held before those that are like all others and empty are forgotten: a thousand members have a million. */
const mostWays = 100_000;

export class MemoryDatagrams {
  readonly #clock: Clock;
  readonly #chance: Random | ((from: Place, to: Place) => Random);
  readonly #mtu: number;
  faults: Faults = calm;
  readonly counts = { sent: 0, delivered: 0, lost: 0, tooLong: 0, replayed: 0 };
  readonly #receivers = new Map<Place, Receive>();
  /** By `from`, by `to`. */
  readonly #ways = new Map<Place, Map<Place, Way>>();
  #held = 0;
  #forgetAt = mostWays;
  readonly #past: Packet[] = [];

  /** One chance for all ways, or one for each. */
  constructor(clock: Clock, chance: Random | ((from: Place, to: Place) => Random), mtu = 1_400) {
    this.#clock = clock;
    this.#chance = chance;
    this.#mtu = mtu;
  }

  /** Answers how to let go of the place. */
  listen(place: Place, receive: Receive): () => void {
    this.#receivers.set(place, receive);
    return () => {
      if (this.#receivers.get(place) === receive) this.#receivers.delete(place);
    };
  }

  send(from: Place, to: Place, bytes: Uint8Array): void {
    const way = this.#way(from, to);
    const { loss, duplicate, replay } = way.own ?? this.faults;
    this.counts.sent += 1;
    if (bytes.length > this.#mtu) {
      this.counts.tooLong += 1;
      return;
    }
    const random = this.#random(way);
    if (happens(random, loss)) this.counts.lost += 1;
    else this.#carry(way, bytes, random);
    if (happens(random, duplicate)) this.#carry(way, bytes, random);
    if (replay > 0) this.#remember({ from, to, bytes }, random, replay);
  }

  /** At once, whatever befalls that way. */
  arrive(from: Place, to: Place, bytes: Uint8Array): void {
    this.#receivers.get(to)?.(from, bytes);
  }

  /** Nothing from `from` arrives at `to` any more; the other way stays. */
  cut(from: Place, to: Place): void {
    this.#way(from, to).cut = true;
  }

  mend(from: Place, to: Place): void {
    this.#way(from, to).cut = false;
  }

  mendAll(): void {
    for (const way of this.#all()) {
      way.cut = false;
      way.own = undefined;
      way.cloggedUntil = 0;
    }
  }

  isCut(from: Place, to: Place): boolean {
    return this.#ways.get(from)?.get(to)?.cut ?? false;
  }

  /** What is sent on this way in the next `ms` arrives after them, all at once. */
  clog(from: Place, to: Place, ms: number): void {
    this.#way(from, to).cloggedUntil = this.#clock.monotonicMs() + ms;
  }

  /** This way is better or worse than the others; as they are again with nothing. */
  set(from: Place, to: Place, faults: Faults | undefined): void {
    this.#way(from, to).own = faults;
  }

  #way(from: Place, to: Place): Way {
    const known = this.#ways.get(from)?.get(to);
    if (known) return known;
    if (this.#held >= this.#forgetAt) this.#forget();
    const way = { from, to, cut: false, own: undefined, cloggedUntil: 0, underWay: 0, random: undefined };
    const ways = this.#ways.get(from) ?? new Map<Place, Way>();
    this.#ways.set(from, ways.set(to, way));
    this.#held += 1;
    return way;
  }

  *#all(): Iterable<Way> {
    for (const ways of this.#ways.values()) yield* ways.values();
  }

  /** Ways of which nothing has to be remembered. */
  #forget(): void {
    const now = this.#clock.monotonicMs();
    for (const { from, to, cut, own, cloggedUntil, underWay, random } of this.#all()) {
      if (cut || own || cloggedUntil > now || underWay > 0 || random) continue;
      this.#ways.get(from)!.delete(to);
      this.#held -= 1;
    }
    this.#forgetAt = Math.max(mostWays, 2 * this.#held);
  }

  #random(way: Way): Random {
    if (typeof this.#chance !== 'function') return this.#chance;
    return (way.random ??= this.#chance(way.from, way.to));
  }

  #carry(way: Way, bytes: Uint8Array, random: Random): void {
    if (way.underWay >= wayCapacity) {
      this.counts.lost += 1;
      return;
    }
    way.underWay += 1;
    this.#clock.setTimer(this.#delay(way, random), () => {
      way.underWay -= 1;
      if (way.cut) return;
      this.counts.delivered += 1;
      this.arrive(way.from, way.to, bytes);
    });
  }

  #delay({ own, cloggedUntil }: Way, random: Random): number {
    const { delayMs, meanMs } = own ?? this.faults;
    const clogged = cloggedUntil === 0 ? 0 : Math.max(0, cloggedUntil - this.#clock.monotonicMs());
    return clogged + delayMs - meanMs * Math.log(1 - random.next());
  }

  #remember(packet: Packet, random: Random, replay: number): void {
    this.#past.push(packet);
    if (this.#past.length > remembered) this.#past.shift();
    if (!happens(random, replay)) return;
    this.counts.replayed += 1;
    const { from, to, bytes } = this.#past[Math.floor(random.next() * this.#past.length)]!;
    const way = this.#way(from, to);
    this.#carry(way, bytes, this.#random(way));
  }
}

/** Draws only where there is something to draw, so that a fault that is off costs nothing. */
const happens = (random: Random, share: number): boolean => share > 0 && random.next() < share;
