/**
 * One reader of a slot's logs as they grow: in order, each byte once, at the reader's own pace. What it has not read yet
 * waits on the disk and not in memory; only what was rotated away meanwhile is missing, and told by its size.
 */
import { limits } from '../../protocols/limits.ts';
import type { LogLine, LogStore } from '../node-handle.ts';
import { readRange, splitLines, unfinished } from './lines.ts';
import { formatPlace, parsePlace, runOrder } from '../../protocols/listing/log-place.ts';
import type { RunLog } from './run-log.ts';
import type { Stream } from './stamps.ts';

const streams = ['stdout', 'stderr'] as const;
/** A slow reader's growths are told with ranges of time beyond so many. */
const mostGrowths = 256;

type Ends = Readonly<Record<Stream, number>>;

interface Growth {
  readonly log: RunLog;
  readonly ends: Readonly<Partial<Record<Stream, number>>>;
  readonly at: number;
  readonly untilAt: number | undefined;
}

/** Where a run has been read to: bytes taken, and the unfinished last line of each stream. */
interface Reading {
  readonly log: RunLog;
  readonly next: Record<Stream, number>;
  readonly rest: Record<Stream, Buffer>;
}

export class Follower {
  readonly #slot: string;
  readonly #listener: Parameters<LogStore['follow']>[1];
  readonly #readings = new Map<string, Reading>();
  readonly #growths: Growth[] = [];
  #newest: Reading | undefined;
  #first: (() => Promise<void>) | undefined;
  #busy = false;
  #stopped = false;

  constructor(slot: string, listener: Parameters<LogStore['follow']>[1]) {
    this.#slot = slot;
    this.#listener = listener;
  }

  /** These lines first; then what comes behind the ends that the runs have now. */
  begin(logs: readonly RunLog[], lines: Promise<readonly LogLine[]>): void {
    for (const log of logs) this.#reading(log, { ...log.ends });
    this.#first = async () => {
      for (const line of await lines) await this.#say(line);
    };
    void this.#work();
  }

  /** All that is kept behind a line's place; then what comes. */
  resume(logs: readonly RunLog[], after: string): void {
    const place = parsePlace(after);
    const from = place ? runOrder(place.run) : -1;
    const later = logs.filter(({ run }) => runOrder(run) >= from);
    // An older run has ended, and what is left of it was read.
    for (const log of logs) if (!later.includes(log)) this.#reading(log, { ...log.ends });
    const until = later.map((log) => ({ log, ends: { ...log.ends } }));
    this.#first = async () => {
      const growths: Growth[] = [];
      for (const { log, ends } of until) {
        const behind = place?.run === log.run ? place.ends : log.kept;
        this.#reading(log, { ...behind });
        for (const { stream, end, at, untilAt } of await log.grown(behind))
          if (end <= ends[stream]) growths.push({ log, ends: { [stream]: end }, at, untilAt });
      }
      if (place && later[0] && later[0].run !== place.run)
        await this.#note(later[0], `run ${place.run} is no longer kept, nor what came between`, {
          at: growths[0]?.at ?? 0,
        });
      this.#growths.unshift(...growths);
    };
    void this.#work();
  }

  grew(log: RunLog, at: number, untilAt: number | undefined): void {
    const ends = { ...log.ends };
    const last = this.#growths.at(-1);
    if (this.#growths.length >= mostGrowths && last?.log === log)
      this.#growths[this.#growths.length - 1] = { ...last, ends, untilAt: untilAt ?? at };
    else this.#growths.push({ log, ends, at, untilAt });
    void this.#work();
  }

  stop(): void {
    this.#stopped = true;
    this.#growths.length = 0;
  }

  #reading(log: RunLog, next: Record<Stream, number> = { ...log.kept }): Reading {
    const known = this.#readings.get(log.run);
    if (known) return known;
    const reading = { log, next, rest: { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) } };
    this.#readings.set(log.run, reading);
    return reading;
  }

  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      await this.#first?.();
    } catch {
      // What was there before cannot be read: what comes can.
    }
    this.#first = undefined;
    try {
      for (let growth = this.#growths.shift(); growth; growth = this.#growths.shift()) {
        await this.#endBefore(growth);
        for (const stream of streams) await this.#catchUp(growth, stream).catch(() => undefined);
      }
    } finally {
      this.#busy = false;
    }
    if (this.#growths.length > 0) void this.#work();
  }

  /** The last words of the run before, which had no newline, are a line now. */
  async #endBefore({ log, at, untilAt }: Growth): Promise<void> {
    const reading = this.#reading(log);
    const before = this.#newest;
    if (before && runOrder(before.log.run) >= runOrder(log.run)) return;
    this.#newest = reading;
    for (const stream of before ? streams : []) {
      const { text, end } = unfinished(before!.rest[stream], before!.next[stream]);
      before!.rest[stream] = Buffer.alloc(0);
      if (text !== '') await this.#tell(before!, stream, { at, untilAt, text, end });
    }
  }

  async #catchUp({ log, ends, at, untilAt }: Growth, stream: Stream): Promise<void> {
    const reading = this.#reading(log);
    const { next } = reading;
    const end = ends[stream] ?? 0;
    while (next[stream] < end && !this.#stopped) {
      const lost = log.kept[stream] - next[stream];
      if (lost > 0) {
        next[stream] = log.kept[stream];
        reading.rest[stream] = Buffer.alloc(0);
        await this.#note(log, `${lost} bytes were rotated away before they were read`, { stream, at });
        continue;
      }
      const upTo = Math.min(end, next[stream] + limits.logReadBytes);
      const bytes = await readRange(log.path(stream), next[stream], upTo);
      if (bytes.length === 0) return;
      next[stream] += bytes.length;
      const joined = Buffer.concat([reading.rest[stream], bytes]);
      const { lines, rest } = splitLines(joined, next[stream] - joined.length);
      reading.rest[stream] = Buffer.from(rest);
      for (const line of lines) {
        const wait = this.#tell(reading, stream, { at, untilAt, ...line });
        if (wait) await wait;
      }
    }
  }

  #note(log: RunLog, text: string, where: Pick<LogLine, 'at'> & Partial<LogLine>): Promise<void> {
    const { next } = this.#reading(log);
    const line = { stream: 'stderr', ...where, text: `── ${text} ──`, lost: true } as const;
    return Promise.resolve(
      this.#say({ slot: this.#slot, run: log.run, ...line, place: formatPlace(log.run, next) }),
    );
  }

  #tell(
    { log, next, rest }: Reading,
    stream: Stream,
    { at, untilAt, text, end }: Pick<LogLine, 'at' | 'text'> & { untilAt: number | undefined; end: number },
  ): Promise<void> | undefined | void {
    const other = stream === 'stdout' ? 'stderr' : 'stdout';
    const read = { [stream]: end, [other]: next[other] - rest[other].length } as Ends;
    const range = untilAt === undefined ? {} : { untilAt };
    const place = formatPlace(log.run, read);
    return this.#say({ slot: this.#slot, run: log.run, stream, at, ...range, text, place });
  }

  #say(line: LogLine): Promise<void> | undefined | void {
    return this.#stopped ? undefined : this.#listener(line);
  }
}
