/**
 * One life of one actor as the kernel keeps it: its XState actor, its two mailbox lanes, its children and
 * whatever it holds of the outside (timers, watches, drives). Plain bookkeeping, no policy: `host.ts` says what
 * happens to a cell, `router.ts` when. Idle cells stay small: what is not used is not allocated.
 */
import type { AnyActor } from 'xstate';
import type { Effect, Message } from '../../protocols/effects.ts';
import type { Clock } from '../../protocols/ports.ts';
import type { ChildSpec } from '../../protocols/supervision/child-spec.ts';
import { formatAddress, type ActorPath } from '../../protocols/wire/address.ts';

/** Something an actor holds that can end before its message is delivered. A message whose handle is not live any more is dropped. */
export interface Handle {
  live: boolean;
  /** Lets go of the outside. `abandoned`: the process is gone, so nobody may notice. */
  release(abandoned: boolean): void;
}

export interface HeldHandle extends Handle {
  readonly kind: 'timer' | 'watch' | 'drive';
  readonly id: string;
  /** This message is its last one; `true`: the next that is delivered. Others may still wait before it. */
  last: boolean | Message;
}

/** A chart's own time-out: fires inside the actor. */
export interface AfterHandle extends Handle {
  readonly kind: 'after';
  readonly delayMs: number;
  readonly fire: () => void;
}

export interface Envelope {
  readonly message: Message;
  /** Full address of the sending actor. */
  readonly from: string | undefined;
  readonly replyTo: string | undefined;
  readonly handle: HeldHandle | AfterHandle | undefined;
  next: Envelope | undefined;
}

/** First in, first out. */
export class Lane {
  size = 0;
  #head: Envelope | undefined = undefined;
  #tail: Envelope | undefined = undefined;

  push(envelope: Envelope): void {
    if (this.#tail === undefined) this.#head = envelope;
    else this.#tail.next = envelope;
    this.#tail = envelope;
    this.size += 1;
  }

  shift(): Envelope | undefined {
    const first = this.#head;
    if (first === undefined) return undefined;
    this.#head = first.next;
    if (this.#head === undefined) this.#tail = undefined;
    this.size -= 1;
    return first;
  }
}

/** What a cell needs of its kernel for the chart's own time-outs. */
export interface CellHost {
  readonly clock: Clock;
  readonly node: string;
  readonly boot: number;
  /** Into the system lane. */
  tell(cell: Cell, message: Message, handle?: HeldHandle | AfterHandle): void;
}

/** Also the clock its XState actor sees, which is how `perform` finds the cell of the actor that calls it. */
export class Cell {
  readonly path: ActorPath;
  readonly spec: ChildSpec;
  readonly incarnation: number;
  readonly parent: Cell | undefined;
  readonly #host: CellHost;
  /** Undefined until its first turn. */
  actor: AnyActor | undefined = undefined;
  /** Exits, timers, stops and answers: overflow of ordinary messages cannot drop these. */
  readonly system = new Lane();
  readonly ordinary = new Lane();
  /** In the router's queue, or having its turn. */
  queued = false;
  nextReady: Cell | undefined = undefined;
  outbox: Effect[] | undefined = undefined;
  children: Map<string, Cell> | undefined = undefined;
  held: Map<string, HeldHandle> | undefined = undefined;
  /** Watches of others on this cell. */
  watchers: Set<HeldHandle & { tell(exit: Message): void }> | undefined = undefined;
  /** Questions put to this life that wait for an answer. */
  asks: Set<string> | undefined = undefined;
  ended = false;
  ready = false;
  processed = 0;
  /** World time of its start. */
  startedAt = 0;
  startedMonotonicMs = 0;
  /** When its overflow was last told to the event log, monotonic. */
  overflowToldMs = -Infinity;
  #address: string | undefined = undefined;

  constructor(
    host: CellHost,
    path: ActorPath,
    spec: ChildSpec,
    incarnation: number,
    parent: Cell | undefined,
  ) {
    this.#host = host;
    this.path = path;
    this.spec = spec;
    this.incarnation = incarnation;
    this.parent = parent;
  }

  get address(): string {
    this.#address ??= formatAddress({
      node: this.#host.node,
      path: this.path,
      boot: this.#host.boot,
      incarnation: this.incarnation,
    });
    return this.#address;
  }

  /** Holds something under its kind and id; what was there is let go. */
  hold(handle: HeldHandle): void {
    this.let(handle.kind, handle.id);
    this.held ??= new Map();
    this.held.set(`${handle.kind}:${handle.id}`, handle);
  }

  /** Lets go of one thing; unknown ones are ignored. */
  let(kind: HeldHandle['kind'], id: string): void {
    const handle = this.held?.get(`${kind}:${id}`);
    if (handle === undefined) return;
    this.forget(handle);
    handle.release(false);
  }

  /** Its last message is being delivered. */
  forget(handle: HeldHandle): void {
    handle.live = false;
    const key = `${handle.kind}:${handle.id}`;
    if (this.held?.get(key) === handle) this.held.delete(key);
  }

  letAll(abandoned: boolean): void {
    if (this.held === undefined) return;
    for (const handle of this.held.values()) {
      handle.live = false;
      handle.release(abandoned);
    }
    this.held = undefined;
  }

  /** XState's clock: a time-out arrives through the mailbox, and not at all when it was cleared after it was posted. */
  setTimeout(fire: () => void, delayMs: number): AfterHandle {
    const { clock } = this.#host;
    const handle: AfterHandle = {
      kind: 'after',
      live: true,
      delayMs,
      fire,
      release: () => clock.clearTimer(timer),
    };
    const timer = clock.setTimer(delayMs, () => this.#host.tell(this, { type: `after.${delayMs}` }, handle));
    return handle;
  }

  clearTimeout(handle: AfterHandle): void {
    if (!handle.live) return;
    handle.live = false;
    handle.release(false);
  }
}
