/**
 * One reader of a slot's logs as they grow: in order, each byte once, at the reader's own pace. What it has not read yet
 * waits on the disk and not in memory; only what was rotated away meanwhile is missing, and told by its size.
 */
import { limits } from '../../protocols/limits.ts';
import type { LogLine, LogStore } from '../node-handle.ts';
import { readRange, splitLines } from './lines.ts';
import type { RunLog } from './run-log.ts';
import type { Stream } from './stamps.ts';

const streams = ['stdout', 'stderr'] as const;
/** A slow reader's growths are told with ranges of time beyond so many. */
const mostGrowths = 256;

interface Growth {
  readonly log: RunLog;
  readonly ends: Readonly<Record<Stream, number>>;
  readonly at: number;
  readonly untilAt: number | undefined;
}

export class Follower {
  readonly #slot: string;
  readonly #listener: Parameters<LogStore['follow']>[1];
  readonly #offsets = new Map<string, { next: number; rest: Buffer }>();
  readonly #growths: Growth[] = [];
  #first: Promise<readonly LogLine[]> | undefined;
  #busy = false;
  #stopped = false;

  constructor(slot: string, listener: Parameters<LogStore['follow']>[1]) {
    this.#slot = slot;
    this.#listener = listener;
  }

  skip(log: RunLog): void {
    for (const stream of streams)
      this.#offsets.set(`${log.run}/${stream}`, { next: log.ends[stream], rest: Buffer.alloc(0) });
  }

  first(lines: Promise<readonly LogLine[]>): void {
    this.#first = lines;
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

  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (const line of (await this.#first) ?? []) await this.#say(line);
      this.#first = undefined;
      for (let growth = this.#growths.shift(); growth; growth = this.#growths.shift())
        for (const stream of streams) await this.#catchUp(growth, stream).catch(() => undefined);
    } catch {
      // What was there before cannot be read: what comes can.
      this.#first = undefined;
    } finally {
      this.#busy = false;
    }
    if (this.#growths.length > 0) void this.#work();
  }

  async #catchUp({ log, ends, at, untilAt }: Growth, stream: Stream): Promise<void> {
    const key = `${log.run}/${stream}`;
    const place = this.#offsets.get(key) ?? { next: log.kept[stream], rest: Buffer.alloc(0) };
    this.#offsets.set(key, place);
    const range = untilAt === undefined ? {} : { untilAt };
    const line = { slot: this.#slot, run: log.run, stream, at, ...range };
    while (place.next < ends[stream] && !this.#stopped) {
      const lost = log.kept[stream] - place.next;
      if (lost > 0) {
        await this.#say({ ...line, text: `── ${lost} bytes were rotated away before they were read ──` });
        place.next = log.kept[stream];
        place.rest = Buffer.alloc(0);
        continue;
      }
      const upTo = Math.min(ends[stream], place.next + limits.logReadBytes);
      const bytes = await readRange(log.path(stream), place.next, upTo);
      if (bytes.length === 0) return;
      place.next += bytes.length;
      const joined = Buffer.concat([place.rest, bytes]);
      const { lines, rest } = splitLines(joined, place.next - joined.length);
      place.rest = Buffer.from(rest);
      for (const { text } of lines) {
        const wait = this.#say({ ...line, text });
        if (wait) await wait;
      }
    }
  }

  #say(line: LogLine): Promise<void> | undefined | void {
    return this.#stopped ? undefined : this.#listener(line);
  }
}
