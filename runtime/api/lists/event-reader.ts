/**
 * The event stream of one watcher: its place in the log, and nothing else. Whenever the connection has room, what lies
 * behind the place is told; every event is made into bytes once for all. A watcher that falls behind what is kept is
 * told so by a `reset`, never left with a silent gap.
 */
import { comparePlaces, cursorOf, type EventPlace } from '../../../protocols/events/place.ts';
import { limits } from '../../../protocols/limits.ts';
import type { LoggedEvent, NodeHandle } from '../../node-handle.ts';
import type { PullSource } from './pulled.ts';

/** What stands between events. */
export type EventMark =
  /** So many events are missing here: the disk refused them, or lost them. */
  | { readonly gap: number }
  /** Everything up to here has been told. */
  | { readonly bookmark: string }
  /** Events before this cursor are gone; the stream goes on behind it. */
  | { readonly reset: string };

export type SeenEvent = LoggedEvent & { readonly cursor: string };

export interface EventFormat {
  readonly event: (event: SeenEvent) => string;
  readonly mark: (mark: EventMark) => string;
}

const ndjson: EventFormat = {
  event: (event) => `${JSON.stringify(event)}\n`,
  mark: (mark) => `${JSON.stringify(mark)}\n`,
};

/** The cursor is the id, so a browser that comes back says where it was. */
const sse: EventFormat = {
  event: (event) => `id: ${event.cursor}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`,
  mark: (mark) => {
    const [[name, value]] = Object.entries(mark) as [[string, string | number]];
    const id = name === 'gap' ? '' : `id: ${value}\n`;
    return `${id}event: ${name}\ndata: ${JSON.stringify(mark)}\n\n`;
  },
};

export const eventFormats = { ndjson, sse } as const;

export function seen(node: string, event: LoggedEvent): SeenEvent {
  return { ...event, cursor: cursorOf(node, event) };
}

/** All who watch the events of a node. */
export class EventHub {
  readonly #node: NodeHandle;
  readonly #readers = new Set<Reader>();
  readonly #bytes = { ndjson: new WeakMap<LoggedEvent, Buffer>(), sse: new WeakMap<LoggedEvent, Buffer>() };
  #stop: (() => void) | undefined;
  #waking = false;
  #timer: unknown;

  constructor(node: NodeHandle) {
    this.#node = node;
  }

  get count(): number {
    return this.#readers.size;
  }

  /** `place` must be one that the log covers; `wants` chooses. */
  open(
    place: EventPlace,
    form: keyof typeof eventFormats,
    wants: (event: LoggedEvent) => boolean,
  ): PullSource {
    const reader = new Reader(this.#node, place, eventFormats[form], wants, (event) =>
      this.#told(form, event),
    );
    this.#readers.add(reader);
    if (this.#readers.size === 1) this.#begin();
    return {
      next: () => reader.next(),
      follow: (wake) => reader.follow(wake),
      stop: () => {
        this.#readers.delete(reader);
        if (this.#readers.size === 0) this.#rest();
      },
    };
  }

  #told(form: keyof typeof eventFormats, event: LoggedEvent): Buffer {
    const known = this.#bytes[form].get(event);
    if (known !== undefined) return known;
    const bytes = Buffer.from(eventFormats[form].event(seen(this.#node.name, event)));
    this.#bytes[form].set(event, bytes);
    return bytes;
  }

  #begin(): void {
    this.#stop = this.#node.events.watch(() => this.#wakeSoon());
    this.#schedule();
  }

  /** What happens at once is told at once, not event by event. */
  #wakeSoon(): void {
    if (this.#waking) return;
    this.#waking = true;
    this.#node.clock.defer(() => {
      this.#waking = false;
      for (const reader of this.#readers) reader.wake();
    });
  }

  #schedule(): void {
    this.#timer = this.#node.clock.setTimer(limits.eventBookmarkMs, () => {
      for (const reader of this.#readers) reader.remind();
      this.#schedule();
    });
  }

  #rest(): void {
    this.#stop?.();
    this.#stop = undefined;
    this.#node.clock.clearTimer(this.#timer);
  }
}

class Reader {
  readonly #node: NodeHandle;
  readonly #format: EventFormat;
  readonly #wants: (event: LoggedEvent) => boolean;
  readonly #bytes: (event: LoggedEvent) => Buffer;
  #place: EventPlace;
  #owed = false;
  wake: () => void = () => {};

  constructor(
    node: NodeHandle,
    place: EventPlace,
    format: EventFormat,
    wants: (event: LoggedEvent) => boolean,
    bytes: (event: LoggedEvent) => Buffer,
  ) {
    this.#node = node;
    this.#place = place;
    this.#format = format;
    this.#wants = wants;
    this.#bytes = bytes;
  }

  follow(wake: () => void): void {
    this.wake = wake;
  }

  /** A bookmark is due. */
  remind(): void {
    this.#owed = true;
    this.wake();
  }

  /** What is to be told now; the place moves behind it. */
  next(): Buffer | undefined {
    const pieces: Buffer[] = [];
    let isMore = true;
    while (isMore && pieces.length === 0) isMore = this.#step(pieces);
    if (this.#owed && !isMore) {
      this.#owed = false;
      pieces.push(this.#mark({ bookmark: cursorOf(this.#node.name, this.#place) }));
    }
    return pieces.length > 1 ? Buffer.concat(pieces) : pieces[0];
  }

  #mark(mark: EventMark): Buffer {
    return Buffer.from(this.#format.mark(mark));
  }

  /** Goes over so many events as one piece may hold. False when there are no more behind them. */
  #step(pieces: Buffer[]): boolean {
    const { events, name } = this.#node;
    if (comparePlaces(this.#place, events.floor) < 0) {
      this.#place = events.floor;
      pieces.push(this.#mark({ reset: cursorOf(name, this.#place) }));
    }
    const behind = events.read({ after: this.#place, limit: limits.eventPiece });
    for (const event of behind) {
      // Every boot has events: one that left none has lost them.
      if (event.boot > this.#place.boot + 1)
        pieces.push(this.#mark({ reset: cursorOf(name, { boot: event.boot, seq: 0 }) }));
      const missing = event.seq - 1 - (event.boot === this.#place.boot ? this.#place.seq : 0);
      if (missing > 0) pieces.push(this.#mark({ gap: missing }));
      if (this.#wants(event)) pieces.push(this.#bytes(event));
      this.#place = event;
    }
    return behind.length === limits.eventPiece;
  }
}
