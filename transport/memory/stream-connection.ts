/** One connection of the network in memory: two ways, each in order, and an end at either place. */
import { reason, type Reason } from '../../protocols/errors.ts';
import {
  streamFrameBytes,
  streamWaitingBytes,
  type StreamConnection,
  type StreamEars,
  type StreamIdentity,
} from '../stream-link.ts';
import type { Place } from './datagrams.ts';
import type { MemoryStreams, Party } from './streams.ts';

export interface MemoryConnection {
  readonly dialled: StreamConnection;
  readonly accepted: StreamConnection;
  joins(a: Place, b: Place): boolean;
  endAt(place: Place): StreamConnection | undefined;
  /** The end at that place is gone, and the other does not hear of it. */
  vanish(place: Place): void;
  breakUp(because: Reason): void;
  /** A cut was mended. */
  wake(): void;
}

export function connect(network: MemoryStreams, dialler: Party, listener: Party): MemoryConnection {
  const there = new Way(network, dialler.place, listener.place);
  const back = new Way(network, listener.place, dialler.place);
  const breakUp = (because: Reason): void => {
    network.forget(connection);
    dialled.broken(because);
    accepted.broken(because);
  };
  const struck = (): void => network.breakUp(connection);
  const over = (): void => {
    if (dialled.over && accepted.over) network.forget(connection);
  };
  const dialled = new End(listener.identity, { out: there, in: back, struck, over }, network);
  const accepted = new End(dialler.identity, { out: back, in: there, struck, over }, network);
  there.between(dialled, accepted);
  back.between(accepted, dialled);
  const endAt = (place: Place): End | undefined =>
    place === dialler.place ? dialled : place === listener.place ? accepted : undefined;
  const connection: MemoryConnection = {
    dialled,
    accepted,
    joins: (a, b) => a !== b && endAt(a) !== undefined && endAt(b) !== undefined,
    endAt,
    vanish: (place) => {
      endAt(place)?.silence();
      there.stuck = true;
      back.stuck = true;
    },
    breakUp,
    wake: () => {
      there.wake();
      back.wake();
    },
  };
  return connection;
}

class End implements StreamConnection {
  readonly peer: StreamIdentity;
  readonly #ways: { readonly out: Way; readonly in: Way; struck(): void; over(): void };
  readonly #network: MemoryStreams;
  #ears: StreamEars | undefined = undefined;
  over = false;

  constructor(
    peer: StreamIdentity,
    ways: { out: Way; in: Way; struck(): void; over(): void },
    network: MemoryStreams,
  ) {
    this.peer = peer;
    this.#ways = ways;
    this.#network = network;
  }

  hear(ears: StreamEars): void {
    this.#ears = ears;
    this.#ways.in.wake();
  }

  get waiting(): number {
    return this.#ways.out.waiting;
  }

  send(frame: Uint8Array): void {
    if (this.over) return;
    if (frame.length > streamFrameBytes || this.#network.strikes()) return this.#ways.struck();
    this.#ways.out.send(frame);
  }

  pause(): void {
    this.#ways.in.paused = true;
  }

  resume(): void {
    this.#ways.in.paused = false;
    this.#ways.in.wake();
  }

  close(because: Reason): void {
    if (this.over) return;
    this.#ways.out.finish();
    this.broken(because);
  }

  // -- for the ways -------------------------------------------------------------------------------

  get listening(): boolean {
    return this.#ears !== undefined;
  }

  arrived(frame: Uint8Array): void {
    if (!this.over) this.#ears!.frame(frame);
  }

  left(): void {
    if (!this.over) this.#ears?.drained();
  }

  finished(): void {
    this.broken(reason('HM-PEER-UNREACHABLE', 'The other end closed the connection.'));
  }

  /** Nothing is heard any more, and `ended` is, soon. */
  broken(because: Reason): void {
    if (this.over) return;
    this.over = true;
    this.#ways.over();
    this.#network.clock.defer(() => this.#ears?.ended(because));
  }

  silence(): void {
    this.over = true;
    this.#ears = undefined;
  }
}

interface Item {
  /** Undefined at the end of the stream. */
  readonly frame: Uint8Array | undefined;
  readonly dueMs: number;
}

class Way {
  readonly #network: MemoryStreams;
  readonly #from: Place;
  readonly #to: Place;
  #sender: End | undefined = undefined;
  #receiver: End | undefined = undefined;
  #items: Item[] = [];
  #timer: unknown = undefined;
  #latestMs = 0;
  waiting = 0;
  paused = false;
  stuck = false;

  constructor(network: MemoryStreams, from: Place, to: Place) {
    this.#network = network;
    this.#from = from;
    this.#to = to;
  }

  between(sender: End, receiver: End): void {
    this.#sender = sender;
    this.#receiver = receiver;
  }

  send(frame: Uint8Array): void {
    this.waiting += frame.length;
    this.#add(frame, frame.length);
  }

  finish(): void {
    this.#add(undefined, 0);
  }

  wake(): void {
    const next = this.#items[0];
    if (next === undefined || this.#timer !== undefined || !this.#open()) return;
    const { clock } = this.#network;
    this.#timer = clock.setTimer(Math.max(0, next.dueMs - clock.monotonicMs()), () => {
      this.#timer = undefined;
      if (this.#open()) this.#deliver();
    });
  }

  #open(): boolean {
    if (this.paused || this.stuck || !this.#receiver!.listening) return false;
    return !this.#network.isCut(this.#from, this.#to);
  }

  #add(frame: Uint8Array | undefined, bytes: number): void {
    const nowMs = this.#network.clock.monotonicMs();
    // A narrow way carries one after the other.
    const carriedMs = bytes / this.#network.faults.bytesPerMs;
    const dueMs = Math.max(
      this.#latestMs + carriedMs,
      nowMs + this.#network.delay(this.#from, this.#to, bytes),
    );
    this.#latestMs = dueMs;
    this.#items.push({ frame, dueMs });
    this.wake();
  }

  #deliver(): void {
    const { frame } = this.#items.shift()!;
    if (frame === undefined) return this.#receiver!.finished();
    const before = this.waiting;
    this.waiting -= frame.length;
    this.#receiver!.arrived(frame);
    if (before >= streamWaitingBytes && this.waiting < streamWaitingBytes) this.#sender!.left();
    this.wake();
  }
}
