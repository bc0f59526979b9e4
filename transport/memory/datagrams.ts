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

interface Packet {
  readonly from: Place;
  readonly to: Place;
  readonly bytes: Uint8Array;
}

/** Packets under way that one way holds at most; more are lost, as in a full queue. */
const wayCapacity = 4_096;
/** Packets remembered for replays. */
const remembered = 256;

export class MemoryDatagrams {
  readonly #clock: Clock;
  readonly #chance: Random | ((from: Place, to: Place) => Random);
  readonly #chances = new Map<string, Random>();
  readonly #mtu: number;
  faults: Faults = calm;
  /** `from>to`: of ways with faults of their own. */
  readonly #own = new Map<string, Faults>();
  readonly counts = { sent: 0, delivered: 0, lost: 0, tooLong: 0 };
  readonly #receivers = new Map<Place, Receive>();
  /** `from>to` */
  readonly #cut = new Set<string>();
  readonly #cloggedUntil = new Map<string, number>();
  readonly #underWay = new Map<string, number>();
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
    const { loss, duplicate, replay } = this.#faultsOf(`${from}>${to}`);
    this.counts.sent += 1;
    if (bytes.length > this.#mtu) {
      this.counts.tooLong += 1;
      return;
    }
    const packet = { from, to, bytes };
    const random = this.#random(from, to);
    if (happens(random, loss)) this.counts.lost += 1;
    else this.#carry(packet);
    if (happens(random, duplicate)) this.#carry(packet);
    if (replay > 0) this.#remember(packet, random, replay);
  }

  /** Nothing from `from` arrives at `to` any more; the other way stays. */
  cut(from: Place, to: Place): void {
    this.#cut.add(`${from}>${to}`);
  }

  mend(from: Place, to: Place): void {
    this.#cut.delete(`${from}>${to}`);
  }

  mendAll(): void {
    this.#cut.clear();
    this.#own.clear();
    this.#cloggedUntil.clear();
  }

  isCut(from: Place, to: Place): boolean {
    return this.#cut.has(`${from}>${to}`);
  }

  /** What is sent on this way in the next `ms` arrives after them, all at once. */
  clog(from: Place, to: Place, ms: number): void {
    this.#cloggedUntil.set(`${from}>${to}`, this.#clock.monotonicMs() + ms);
  }

  /** This way is better or worse than the others; as they are again with nothing. */
  set(from: Place, to: Place, faults: Faults | undefined): void {
    if (faults === undefined) this.#own.delete(`${from}>${to}`);
    else this.#own.set(`${from}>${to}`, faults);
  }

  #faultsOf(way: string): Faults {
    return this.#own.get(way) ?? this.faults;
  }

  #random(from: Place, to: Place): Random {
    if (typeof this.#chance !== 'function') return this.#chance;
    const way = `${from}>${to}`;
    const known = this.#chances.get(way);
    if (known) return known;
    const random = this.#chance(from, to);
    this.#chances.set(way, random);
    return random;
  }

  #carry(packet: Packet): void {
    const way = `${packet.from}>${packet.to}`;
    const underWay = this.#underWay.get(way) ?? 0;
    if (underWay >= wayCapacity) {
      this.counts.lost += 1;
      return;
    }
    this.#underWay.set(way, underWay + 1);
    this.#clock.setTimer(this.#delay(packet, way), () => {
      const left = this.#underWay.get(way)! - 1;
      if (left > 0) this.#underWay.set(way, left);
      else this.#underWay.delete(way);
      if (this.#cut.has(way)) return;
      this.counts.delivered += 1;
      this.#receivers.get(packet.to)?.(packet.from, packet.bytes);
    });
  }

  #delay({ from, to }: Packet, way: string): number {
    const { delayMs, meanMs } = this.#faultsOf(way);
    const clogged = (this.#cloggedUntil.get(way) ?? 0) - this.#clock.monotonicMs();
    return Math.max(0, clogged) + delayMs - meanMs * Math.log(1 - this.#random(from, to).next());
  }

  #remember(packet: Packet, random: Random, replay: number): void {
    this.#past.push(packet);
    if (this.#past.length > remembered) this.#past.shift();
    if (!happens(random, replay)) return;
    const old = this.#past[Math.floor(random.next() * this.#past.length)]!;
    this.#carry(old);
  }
}

/** Draws only where there is something to draw, so that a fault that is off costs nothing. */
const happens = (random: Random, share: number): boolean => share > 0 && random.next() < share;
