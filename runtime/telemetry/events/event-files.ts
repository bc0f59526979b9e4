/**
 * Events on disk: a few bounded files of lines, each with its checksum. Written as they come, never synced: a killed
 * process loses nothing that was written (a line that it was just writing is cut off), a machine without power its
 * last moments. Each file says first on which boot of the machine it was written, so that the two can be told apart:
 * an end without a farewell is told at the next start only when the machine has started anew since. Nothing that is
 * quiet writes.
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
  /** Each loss is told once. */
  readonly recovered: readonly Reason[];
  /** Bytes of the line that a killed process was writing. */
  readonly unfinished: number;
  /** Writes what waits, and the farewell. */
  close(): Promise<void>;
}

interface Bounds {
  readonly fileBytes: number;
  readonly files: number;
}

export interface EventFilesOptions {
  readonly disk: Disk;
  /** It must exist. */
  readonly folder: string;
  /** The boot of the machine: another one each time it starts. */
  readonly machineBoot: string;
  readonly bounds?: Bounds;
}

const usual: Bounds = { fileBytes: limits.eventFileBytes, files: limits.eventFiles };
/** The first line of a file. `damaged`: lines of files before it that are known to be lost, by file. */
interface Heading {
  readonly machine: string;
  readonly damaged?: Readonly<Record<string, number>>;
}
/** The last line of a boot that ended well: where it ended. */
type Farewell = { readonly bye: EventPlace };

const nameOf = (number: number): string => `events-${String(number).padStart(8, '0')}.log`;
const numberOf = (name: string): number | undefined => {
  const digits = /^events-(\d{8})\.log$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
};

/** Rejects with HM-DATA-DIR. */
export async function openEventFiles(options: EventFilesOptions): Promise<OpenedEvents> {
  const { disk, folder, machineBoot, bounds = usual } = options;
  try {
    const numbers = (await disk.list(folder)).flatMap((name) => numberOf(name) ?? []).sort((a, b) => a - b);
    const files: File[] = [];
    for (const number of numbers) {
      const bytes = (await disk.read(`${folder}/${nameOf(number)}`)) ?? new Uint8Array();
      files.push(readFile(number, new TextDecoder().decode(bytes)));
    }
    const events = files.flatMap((file) => file.events);
    const { lost, unfinished, damaged } = judge(files, machineBoot);
    const kept = events.slice(-limits.eventLog);
    const writer = new Writer(disk, folder, numbers, bounds, seal(headingOf(machineBoot, damaged)));
    const boot = events.at(-1)?.boot ?? 0;
    const told = { boot, damaged: sum(Object.values(damaged)) };
    return {
      store: {
        kept,
        isWhole: (numbers[0] ?? 1) === 1 && kept.length === events.length && !lost && told.damaged === 0,
        append: (event) => writer.push(lineOf(event), event),
      },
      recovered: lost ? [reason('HM-EVENTS-TORN', undefined, told)] : [],
      unfinished,
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
const headingOf = (machine: string, damaged: Heading['damaged'] = {}): string =>
  JSON.stringify({ machine, ...(Object.keys(damaged).length > 0 ? { damaged } : {}) } satisfies Heading);
const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

interface File {
  readonly number: number;
  readonly events: readonly LoggedEvent[];
  readonly heading?: Heading;
  readonly farewell?: EventPlace;
  /** Whole lines that are not what was written. */
  readonly damaged: number;
  /** Bytes behind the last whole line. */
  readonly unfinished: number;
}

function readFile(number: number, text: string): File {
  const events: LoggedEvent[] = [];
  let heading: Heading | undefined;
  let farewell: EventPlace | undefined;
  let damaged = 0;
  const lines = text.split('\n');
  const rest = lines.pop()!;
  for (const line of lines) {
    const said = line.slice(9);
    if (line[8] !== ' ' || line.slice(0, 8) !== sumOf(said)) {
      damaged += 1;
      continue;
    }
    const entry = JSON.parse(said) as LoggedEvent | Farewell | Heading;
    if ('machine' in entry) heading = entry;
    else if ('bye' in entry) farewell = entry.bye;
    else events.push(entry);
  }
  return {
    number,
    events,
    damaged,
    unfinished: rest.length,
    ...(heading ? { heading } : {}),
    ...(farewell ? { farewell } : {}),
  };
}

interface Judgement {
  /** Something is lost that was not told before. */
  readonly lost: boolean;
  readonly unfinished: number;
  /** By file: lines that are lost. */
  readonly damaged: Readonly<Record<string, number>>;
}

/** A line that has no end is damage, unless the process was killed in the middle of it and the machine went on. */
function judge(files: readonly File[], machineBoot: string): Judgement {
  const last = files.at(-1);
  if (!last) return { lost: false, unfinished: 0, damaged: {} };
  const known = last.heading?.damaged ?? {};
  const ended =
    last.farewell !== undefined && last.unfinished === 0 && isAt(last.events.at(-1), last.farewell);
  const isKilled = !ended && last.farewell === undefined && last.heading?.machine === machineBoot;
  const damaged = Object.fromEntries(
    files.flatMap((file, at) => {
      const next = file === last ? machineBoot : files[at + 1]?.heading?.machine;
      const isCut = file.unfinished > 0 && file.heading?.machine !== next;
      const count = file.damaged + (isCut ? 1 : 0);
      return count > 0 ? [[String(file.number), count] as const] : [];
    }),
  );
  const isNews = Object.entries(damaged).some(([number, count]) => count > (known[number] ?? 0));
  return {
    lost: isNews || !(ended || isKilled),
    unfinished: isKilled ? last.unfinished : 0,
    damaged,
  };
}

const isAt = (event: EventPlace | undefined, place: EventPlace): boolean =>
  event !== undefined && comparePlaces(event, place) === 0;

/** Appends in order, as much at once as waits. A disk that refuses costs what was to be written and nothing else. */
class Writer {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #numbers: number[];
  readonly #bounds: Bounds;
  readonly #heading: string;
  #waiting: string[] = [];
  #last: EventPlace | undefined;
  #file: DiskFile | undefined;
  #bytes = 0;
  #idle: Promise<void> = Promise.resolve();
  #busy = false;
  #closed = false;

  constructor(disk: Disk, folder: string, numbers: readonly number[], bounds: Bounds, heading: string) {
    this.#heading = heading;
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
    const isNew = !this.#file || this.#bytes + bytes.length > this.#bounds.fileBytes;
    if (isNew) await this.#next();
    const heading = isNew ? new TextEncoder().encode(this.#heading) : new Uint8Array();
    this.#bytes += heading.length + bytes.length;
    // In one write: no file has events and no heading.
    await this.#file!.append(Buffer.concat([heading, bytes]));
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
