/**
 * Events on disk: a few bounded files of lines, each with its checksum. Written as they come, never synced: a killed
 * process loses nothing that was written, a machine without power its last moments, and an end without a farewell is
 * told at the next start. Nothing that is quiet writes.
 *
 * Invariant: what is read back is what was appended, in order, without what was lost; nothing else is made of damage.
 */
import { coded, reason, type Reason } from '../../../protocols/errors.ts';
import { comparePlaces, type EventPlace } from '../../../protocols/events/place.ts';
import { hashText } from '../../../protocols/hash.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Disk, DiskFile } from '../../drivers/journal/disk.ts';
import type { LoggedEvent } from '../../node-handle.ts';
import type { EventStore } from './event-log.ts';

export interface OpenedEvents {
  readonly store: EventStore;
  readonly recovered: readonly Reason[];
  /** Writes what waits, and the farewell. */
  close(): Promise<void>;
}

interface Bounds {
  readonly fileBytes: number;
  readonly files: number;
}

const usual: Bounds = { fileBytes: limits.eventFileBytes, files: limits.eventFiles };
/** The last line of a boot that ended well: where it ended. */
type Farewell = { readonly bye: EventPlace };

const nameOf = (number: number): string => `events-${String(number).padStart(8, '0')}.log`;
const numberOf = (name: string): number | undefined => {
  const digits = /^events-(\d{8})\.log$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
};

/** The folder must exist. Rejects with HM-DATA-DIR. */
export async function openEventFiles(
  disk: Disk,
  folder: string,
  bounds: Bounds = usual,
): Promise<OpenedEvents> {
  try {
    const numbers = (await disk.list(folder)).flatMap((name) => numberOf(name) ?? []).sort((a, b) => a - b);
    const texts: string[] = [];
    for (const number of numbers)
      texts.push(
        new TextDecoder().decode((await disk.read(`${folder}/${nameOf(number)}`)) ?? new Uint8Array()),
      );
    const { events, isClosed, damaged } = readBack(texts);
    const kept = events.slice(-limits.eventLog);
    const writer = new Writer(disk, folder, numbers, bounds);
    const boot = events.at(-1)?.boot ?? 0;
    return {
      store: {
        kept,
        isWhole: (numbers[0] ?? 1) === 1 && kept.length === events.length && damaged === 0 && isClosed,
        append: (event) => writer.push(lineOf(event), event),
      },
      recovered: isClosed && damaged === 0 ? [] : [reason('HM-EVENTS-TORN', undefined, { boot, damaged })],
      close: () => writer.close(),
    };
  } catch (thrown) {
    throw coded('HM-DATA-DIR', `The event log cannot be read: ${(thrown as Error).message}`, {
      path: folder,
    });
  }
}

const sumOf = (text: string): string => hashText(text).slice(0, 8);
const seal = (text: string): string => `${sumOf(text)} ${text}\n`;
const lineOf = (event: LoggedEvent): string => seal(JSON.stringify(event));

interface Read {
  readonly events: readonly LoggedEvent[];
  /** The last file ends with a farewell, and everything before it is there. */
  readonly isClosed: boolean;
  /** Lines that are not what was written. */
  readonly damaged: number;
}

function readBack(texts: readonly string[]): Read {
  const events: LoggedEvent[] = [];
  let damaged = 0;
  let isClosed = true;
  for (const text of texts) {
    // A file that holds nothing is one that lost all.
    isClosed = false;
    for (const line of text.split('\n')) {
      if (line === '') continue;
      const said = line.slice(9);
      if (line[8] !== ' ' || line.slice(0, 8) !== sumOf(said)) {
        damaged += 1;
        isClosed = false;
        continue;
      }
      const entry = JSON.parse(said) as LoggedEvent | Farewell;
      if ('bye' in entry) isClosed = isAt(events.at(-1), entry.bye);
      else {
        events.push(entry);
        isClosed = false;
      }
    }
  }
  return { events, isClosed, damaged };
}

const isAt = (event: EventPlace | undefined, place: EventPlace): boolean =>
  event !== undefined && comparePlaces(event, place) === 0;

/** Appends in order, as much at once as waits. A disk that refuses costs what was to be written and nothing else. */
class Writer {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #numbers: number[];
  readonly #bounds: Bounds;
  #waiting: string[] = [];
  #last: EventPlace | undefined;
  #file: DiskFile | undefined;
  #bytes = 0;
  #idle: Promise<void> = Promise.resolve();
  #busy = false;
  #closed = false;

  constructor(disk: Disk, folder: string, numbers: readonly number[], bounds: Bounds) {
    this.#disk = disk;
    this.#folder = folder;
    this.#numbers = [...numbers];
    this.#bounds = bounds;
  }

  push(line: string, place: EventPlace): void {
    this.#last = { boot: place.boot, seq: place.seq };
    this.#put(line);
  }

  #put(line: string): void {
    if (this.#closed || this.#waiting.length >= limits.eventQueue) return;
    this.#waiting.push(line);
    if (this.#busy) return;
    this.#busy = true;
    this.#idle = this.#drain();
  }

  async close(): Promise<void> {
    if (this.#last) this.#put(seal(JSON.stringify({ bye: this.#last } satisfies Farewell)));
    this.#closed = true;
    await this.#idle;
    await this.#file?.close();
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const bytes = new TextEncoder().encode(this.#waiting.join(''));
      this.#waiting = [];
      await this.#append(bytes).catch(() => this.#abandon());
    }
    this.#busy = false;
  }

  async #append(bytes: Uint8Array): Promise<void> {
    if (!this.#file || this.#bytes + bytes.length > this.#bounds.fileBytes) await this.#next();
    this.#bytes += bytes.length;
    await this.#file!.append(bytes);
  }

  /** Every boot begins a file of its own, so nobody writes behind a torn line. */
  async #next(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    const number = (this.#numbers.at(-1) ?? 0) + 1;
    this.#file = await this.#disk.create(`${this.#folder}/${nameOf(number)}`);
    this.#numbers.push(number);
    this.#bytes = 0;
    while (this.#numbers.length > this.#bounds.files)
      await this.#disk.remove(`${this.#folder}/${nameOf(this.#numbers.shift()!)}`);
    await this.#disk.syncFolder(this.#folder);
  }

  /** Part of the bytes may be there: what comes next goes into another file. */
  async #abandon(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => {});
  }
}
