/**
 * A network of streams in memory, as bad as it is told to be: slow and uneven ways, cuts one way or both, clogs,
 * connections that are reset, ends that vanish without a word, narrow ways. As with TCP, what arrives arrives in order,
 * and what a cut holds up arrives after it, if the connection still stands. Everything follows from its clock and its
 * random source.
 */
import { coded, reason, type Reason } from '../../protocols/errors.ts';
import type { MemberAddress } from '../../protocols/membership/model.ts';
import type { Clock, Random } from '../../protocols/ports.ts';
import type { Peer } from '../../protocols/wire/calls.ts';
import type { StreamConnection, StreamIdentity, StreamLink } from '../stream-link.ts';
import type { Place } from './datagrams.ts';
import { placeOf } from './memory-link.ts';
import type { Proof } from './proven-streams.ts';
import { connect, type MemoryConnection } from './stream-connection.ts';

export interface StreamFaults {
  /** Each frame takes at least `delayMs`, on average `meanMs` more. */
  delayMs: number;
  meanMs: number;
  /** Share of frames whose connection is reset instead of carrying them, 0–1. */
  reset: number;
  /** What a way carries a ms; `Infinity` unless it is narrow. */
  bytesPerMs: number;
}

export const calmStreams: StreamFaults = { delayMs: 0.2, meanMs: 0.3, reset: 0, bytesPerMs: Infinity };

export interface Listener {
  readonly identity: StreamIdentity;
  readonly accept: (connection: StreamConnection) => void;
  /** What it shows to who wants proof: `proven-streams.ts`. */
  readonly proof?: Proof;
}

export interface Party {
  readonly place: Place;
  readonly identity: StreamIdentity;
}

export class MemoryStreams {
  readonly clock: Clock;
  readonly #random: Random;
  faults: StreamFaults = calmStreams;
  /** Beside faults: who dials is refused, and a frame's connection is reset. */
  refuses: () => boolean = () => false;
  resets: () => boolean = () => false;
  readonly #listeners = new Map<Place, Listener>();
  readonly #connections = new Set<MemoryConnection>();
  /** `from>to` */
  readonly #cut = new Set<string>();
  readonly #cloggedUntil = new Map<string, number>();
  readonly counts = { dialled: 0, refused: 0, resets: 0, frames: 0 };

  constructor(clock: Clock, random: Random) {
    this.clock = clock;
    this.#random = random;
  }

  open(identity: StreamIdentity, address: MemberAddress): StreamLink {
    return new MemoryStreamLink(this, identity, address);
  }

  // -- faults -------------------------------------------------------------------------------------

  /** Nothing from `from` arrives at `to` until it is mended; the other way stays. */
  cut(from: Place, to: Place): void {
    this.#cut.add(`${from}>${to}`);
  }

  mend(from: Place, to: Place): void {
    this.#cut.delete(`${from}>${to}`);
    this.#wake();
  }

  mendAll(): void {
    this.#cut.clear();
    this.#cloggedUntil.clear();
    this.#wake();
  }

  /** What is sent on this way in the next `ms` arrives after them. */
  clog(from: Place, to: Place, ms: number): void {
    this.#cloggedUntil.set(`${from}>${to}`, this.clock.monotonicMs() + ms);
  }

  /** The connections between the two end, at both ends at once. */
  reset(a: Place, b: Place): void {
    for (const connection of [...this.#connections]) if (connection.joins(a, b)) this.breakUp(connection);
  }

  /** The place loses all of its connections: the process is gone. `silently`: so is the machine, nobody is told. */
  vanish(place: Place, silently = false): void {
    this.#listeners.delete(place);
    for (const connection of [...this.#connections]) {
      if (connection.endAt(place) === undefined) continue;
      if (silently) connection.vanish(place);
      else this.breakUp(connection);
    }
  }

  // -- for links and connections ------------------------------------------------------------------

  listen(place: Place, listener: Listener): void {
    if (this.#listeners.has(place)) throw coded('HM-CLUSTER-LISTEN', `${place} is listened on already`);
    this.#listeners.set(place, listener);
  }

  /** Its ends of connections are closed; what was sent still goes out. */
  leave(place: Place, because: Reason): void {
    this.#listeners.delete(place);
    for (const connection of [...this.#connections]) connection.endAt(place)?.close(because);
  }

  isCut(from: Place, to: Place): boolean {
    return this.#cut.has(`${from}>${to}`);
  }

  /** ms from now until a frame of so many bytes arrives. */
  delay(from: Place, to: Place, bytes: number): number {
    const { delayMs, meanMs, bytesPerMs } = this.faults;
    const clogged = (this.#cloggedUntil.get(`${from}>${to}`) ?? 0) - this.clock.monotonicMs();
    const spread = meanMs === 0 ? 0 : -meanMs * Math.log(1 - this.#random.next());
    return Math.max(0, clogged) + delayMs + spread + bytes / bytesPerMs;
  }

  /** Whether the next frame resets its connection. */
  strikes(): boolean {
    this.counts.frames += 1;
    if (this.resets()) return true;
    return this.faults.reset > 0 && this.#random.next() < this.faults.reset;
  }

  breakUp(connection: MemoryConnection): void {
    this.counts.resets += 1;
    connection.breakUp(reason('HM-PEER-UNREACHABLE', 'The connection was reset.'));
  }

  forget(connection: MemoryConnection): void {
    this.#connections.delete(connection);
  }

  /** Whoever listens there is who it says it is. */
  async dial(from: Party, to: Peer, signal: AbortSignal): Promise<StreamConnection> {
    const listener = await this.reach(from.place, to.address, signal);
    const { identity, accept } = listener;
    const place = placeOf(to.address);
    if (to.id !== '' && identity.id !== to.id)
      throw coded('HM-PEER-IDENTITY', `At ${place} answers ${identity.id}, not ${to.id}.`);
    const { dialled, accepted } = this.join(from, { place, identity });
    accept(accepted);
    return dialled;
  }

  /** As a dial over TCP: nothing is heard while a way is cut, and a place without a listener refuses. */
  async reach(from: Place, to: MemberAddress, signal: AbortSignal): Promise<Listener> {
    const place = placeOf(to);
    this.counts.dialled += 1;
    // There and back, and once more for the handshake; while a way is cut, packets are sent again.
    for (let trip = 0; trip < 3; trip += 1) {
      const [here, there] = trip % 2 === 0 ? [from, place] : [place, from];
      do await this.#wait(this.delay(here, there, 0) + (this.isCut(here, there) ? 500 : 0), signal);
      while (this.isCut(here, there));
    }
    const listener = this.#listeners.get(place);
    if (listener === undefined || this.refuses()) {
      this.counts.refused += 1;
      throw coded('HM-PEER-UNREACHABLE', `Nobody listens on ${place}.`);
    }
    return listener;
  }

  /** A connection between two that have met. */
  join(dialler: Party, listener: Party): MemoryConnection {
    const connection = connect(this, dialler, listener);
    this.#connections.add(connection);
    return connection;
  }

  #wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const aborted = (): void => {
        this.clock.clearTimer(timer);
        reject(coded('HM-PEER-UNREACHABLE', 'The attempt was given up.'));
      };
      const timer = this.clock.setTimer(ms, () => {
        signal.removeEventListener('abort', aborted);
        resolve();
      });
      if (signal.aborted) aborted();
      else signal.addEventListener('abort', aborted, { once: true });
    });
  }

  #wake(): void {
    for (const connection of this.#connections) connection.wake();
  }
}

class MemoryStreamLink implements StreamLink {
  readonly #network: MemoryStreams;
  readonly #identity: StreamIdentity;
  readonly address: MemberAddress;
  readonly counts = { dialled: 0, accepted: 0, refused: {} };

  constructor(network: MemoryStreams, identity: StreamIdentity, address: MemberAddress) {
    this.#network = network;
    this.#identity = identity;
    this.address = address;
  }

  accept(notify: (connection: StreamConnection) => void): void {
    this.#network.listen(placeOf(this.address), {
      identity: this.#identity,
      accept: (connection) => {
        this.counts.accepted += 1;
        notify(connection);
      },
    });
  }

  async dial(to: Peer, signal: AbortSignal): Promise<StreamConnection> {
    this.counts.dialled += 1;
    const from = { place: placeOf(this.address), identity: this.#identity };
    return await this.#network.dial(from, to, signal);
  }

  async close(): Promise<void> {
    this.#network.leave(placeOf(this.address), stopping);
  }
}

const stopping = reason('HM-PEER-UNREACHABLE', 'The node is stopping.');
