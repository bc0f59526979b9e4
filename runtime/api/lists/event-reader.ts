/**
 * The event stream of one watcher: its place in the log, and nothing else. Whenever the connection has room, what lies
 * behind the place is told; every event is made into text once for all. A watcher that falls behind what is kept is
 * told so by a `reset`, never left with a silent gap.
 */
import { comparePlaces, cursorOf, type EventPlace } from '../../../protocols/events/place.ts';
import { limits } from '../../../protocols/limits.ts';
import type { LoggedEvent, NodeHandle } from '../../node-handle.ts';
import type { PullSource } from '../lines.ts';

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
  readonly #texts = { ndjson: new WeakMap<LoggedEvent, string>(), sse: new WeakMap<LoggedEvent, string>() };
  #stop: (() => void) | undefined;
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
      this.#text(form, event),
    );
    this.#readers.add(reader);
    if (this.#readers.size === 1) this.#begin();
    return {
      take: () => reader.take(),
      stop: () => {
        reader.end();
        this.#readers.delete(reader);
        if (this.#readers.size === 0) this.#rest();
      },
    };
  }

  #text(form: keyof typeof eventFormats, event: LoggedEvent): string {
    const known = this.#texts[form].get(event);
    if (known !== undefined) return known;
    const text = eventFormats[form].event(seen(this.#node.name, event));
    this.#texts[form].set(event, text);
    return text;
  }

  #begin(): void {
    this.#stop = this.#node.events.watch(() => {
      for (const reader of this.#readers) reader.wake();
    });
    this.#schedule();
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
  readonly #text: (event: LoggedEvent) => string;
  #place: EventPlace;
  #owed = false;
  #ended = false;
  #waiting: (() => void) | undefined;

  constructor(
    node: NodeHandle,
    place: EventPlace,
    format: EventFormat,
    wants: (event: LoggedEvent) => boolean,
    text: (event: LoggedEvent) => string,
  ) {
    this.#node = node;
    this.#place = place;
    this.#format = format;
    this.#wants = wants;
    this.#text = text;
  }

  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }

  /** A bookmark is due. */
  remind(): void {
    this.#owed = true;
    this.wake();
  }

  end(): void {
    this.#ended = true;
    this.wake();
  }

  async take(): Promise<string | undefined> {
    for (;;) {
      if (this.#ended) return undefined;
      const piece = this.#piece();
      if (piece !== '') return piece;
      await new Promise<void>((resolve) => (this.#waiting = resolve));
    }
  }

  /** What is to be told now; the place moves behind it. */
  #piece(): string {
    const { events, name } = this.#node;
    let piece = '';
    if (comparePlaces(this.#place, events.floor) < 0) {
      this.#place = events.floor;
      piece += this.#format.mark({ reset: cursorOf(name, this.#place) });
    }
    const behind = events.read({ after: this.#place, limit: limits.eventPiece });
    for (const event of behind) {
      // Every boot has events: one that left none has lost them.
      if (event.boot > this.#place.boot + 1)
        piece += this.#format.mark({ reset: cursorOf(name, { boot: event.boot, seq: 0 }) });
      const missing = event.seq - 1 - (event.boot === this.#place.boot ? this.#place.seq : 0);
      if (missing > 0) piece += this.#format.mark({ gap: missing });
      if (this.#wants(event)) piece += this.#text(event);
      this.#place = event;
    }
    if (piece === '' && behind.length === limits.eventPiece) return this.#piece();
    if (this.#owed && behind.length < limits.eventPiece) {
      this.#owed = false;
      piece += this.#format.mark({ bookmark: cursorOf(name, this.#place) });
    }
    return piece;
  }
}
