/**
 * The log of one run: two raw files that the shim appends to, and their stamps. Watched while it is the newest run
 * of its slot; rotated without losing a byte by giving the disk blocks of old bytes back, so offsets never change.
 */
import { watch, type FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoggingSettings } from '../../protocols/apps/service-model.ts';
import { limits } from '../../protocols/limits.ts';
import type { Clock } from '../../protocols/ports.ts';
import type { LogLine } from '../node-handle.ts';
import { allLines, lineFrom, tailLines, type RawLine } from './lines.ts';
import { formatPlace } from '../../protocols/listing/log-place.ts';
import { cutAt, notedLogging, punchHole } from './rotation.ts';
import {
  appendStamp,
  keptFrom,
  readStamps,
  rewriteStamps,
  stampOf,
  stampsOf,
  thinStamps,
  type Stamp,
  type Stream,
} from './stamps.ts';

const streams: readonly Stream[] = ['stdout', 'stderr'];
/** Changes closer together than this share a stamp. */
const stampEveryMs = 50;

export interface RunLogOptions {
  readonly clock: Clock;
  readonly slot: string;
  readonly run: string;
  readonly folder: string;
}

export class RunLog {
  readonly slot: string;
  readonly run: string;
  readonly folder: string;
  /** What has been stamped: everything before it has a time. */
  readonly ends: Record<Stream, number> = { stdout: 0, stderr: 0 };
  onGrowth: ((at: number, untilAt: number | undefined) => void) | undefined;
  private readonly clock: Clock;
  /** Everything before it was given back to the disk. */
  readonly kept: Record<Stream, number> = { stdout: 0, stderr: 0 };
  logging: LoggingSettings = {};
  private ended = false;
  /** Lines of the stamps file. */
  private stamps = 0;
  private watcher: FSWatcher | undefined;
  private timer: unknown;
  private busy: Promise<void> = Promise.resolve();

  constructor(options: RunLogOptions) {
    this.clock = options.clock;
    this.slot = options.slot;
    this.run = options.run;
    this.folder = options.folder;
  }

  path(stream: Stream | 'stamps'): string {
    return join(this.folder, stream);
  }

  /** Stamp what came while nobody watched, then watch. */
  async begin(): Promise<void> {
    this.logging = await notedLogging(this.folder);
    const stamps = await readStamps(this.path('stamps'));
    this.stamps = stamps.length;
    let last = 0;
    for (const stamp of stamps) {
      last = Math.max(last, stamp.untilAt ?? stamp.at);
      if (stamp.dropped) this.kept[stamp.stream] = stamp.end;
      this.ends[stamp.stream] = Math.max(this.ends[stamp.stream], stamp.end);
    }
    if (last === 0) last = await this.bornAt();
    if (this.ended) return;
    this.watcher = watch(this.folder, { persistent: false }, (_event, file) => {
      if (file === 'stdout' || file === 'stderr') this.changed();
    });
    this.watcher.on('error', () => this.end());
    await this.stamp(last);
  }

  end(): void {
    this.ended = true;
    this.watcher?.close();
    this.watcher = undefined;
    this.clock.clearTimer(this.timer);
    this.timer = undefined;
  }

  /**
   * The newest lines, both streams merged by time, oldest first; not beyond `upTo` when given. Those that are `chosen`
   * may lie anywhere: for them all that is kept is looked through, a piece at a time.
   */
  async tail(
    count: number,
    upTo?: Readonly<Record<Stream, number>>,
    chosen?: (line: LogLine) => boolean,
  ): Promise<LogLine[]> {
    const stamps = await readStamps(this.path('stamps'));
    const lines: TimedLine[] = [];
    const ends = { stdout: 0, stderr: 0 };
    for (const stream of streams) {
      const size = upTo?.[stream] ?? (await sizeOf(this.path(stream)));
      ends[stream] = size;
      const from = keptFrom(stamps, stream);
      const timed = stampsOf(stamps, stream);
      if (chosen === undefined) {
        for (const raw of await tailLines(this.path(stream), from, size, count))
          lines.push(this.timed(stream, raw, timed));
        continue;
      }
      let own: TimedLine[] = [];
      for await (const raws of allLines(this.path(stream), from, size)) {
        own.push(...raws.map((raw) => this.timed(stream, raw, timed)).filter(({ line }) => chosen(line)));
        if (own.length > count) own = own.slice(-count);
      }
      lines.push(...own);
    }
    return placed(lines.sort((a, b) => a.line.at - b.line.at).slice(-count), ends);
  }

  /** What was there at which time, behind these ends of the streams: oldest first. */
  async grown(behind: Readonly<Record<Stream, number>>): Promise<readonly Stamp[]> {
    const stamps = await readStamps(this.path('stamps'));
    return stamps.filter(({ stream, end, dropped }) => !dropped && end > behind[stream]);
  }

  private timed(stream: Stream, raw: RawLine, stamps: readonly Stamp[]): TimedLine {
    const { at, untilAt } = stampOf(stamps, raw.end) ?? { at: this.clock.now() };
    const until = untilAt === undefined ? {} : { untilAt };
    const { slot, run } = this;
    return { raw, line: { slot, run, stream, at, ...until, text: raw.text, place: '' } };
  }

  private changed(): void {
    if (this.timer !== undefined) return;
    this.timer = this.clock.setTimer(stampEveryMs, () => {
      this.timer = undefined;
      void this.stamp(undefined);
    });
  }

  /** Serialised: stamps are in order. A full disk loses stamps, never output. */
  private stamp(since: number | undefined): Promise<void> {
    this.busy = this.busy.then(() => this.stampNow(since)).catch(() => undefined);
    return this.busy;
  }

  /** A chatty container would fill the disk with times: old ones are told as ranges. */
  private async thin(): Promise<void> {
    if (this.stamps < limits.logStamps) return;
    const thinned = thinStamps(await readStamps(this.path('stamps')), limits.logStamps / 4);
    await rewriteStamps(this.path('stamps'), thinned);
    this.stamps = thinned.length;
  }

  private async stampNow(since: number | undefined): Promise<void> {
    const now = this.clock.now();
    let grew = false;
    for (const stream of streams) {
      const end = await sizeOf(this.path(stream));
      if (end <= this.ends[stream]) continue;
      this.ends[stream] = end;
      grew = true;
      const when = since === undefined ? { at: now } : { at: since, untilAt: now };
      await appendStamp(this.path('stamps'), { stream, end, ...when });
      this.stamps += 1;
      await this.rotate(stream, end, now);
    }
    await this.thin();
    if (grew) this.onGrowth?.(since ?? now, since === undefined ? undefined : now);
  }

  /** Give back the blocks of what is older than the kept amount, in whole lines. */
  private async rotate(stream: Stream, end: number, now: number): Promise<void> {
    const cut = cutAt(this.logging, this.kept[stream], end);
    if (cut === undefined) return;
    const upTo = await lineFrom(this.path(stream), cut, end);
    if (!(await punchHole(this.path(stream), upTo))) return;
    this.kept[stream] = upTo;
    const stamps = await readStamps(this.path('stamps'));
    const fresh = stamps.filter((stamp) => stamp.stream !== stream || (!stamp.dropped && stamp.end > upTo));
    await rewriteStamps(this.path('stamps'), [{ stream, end: upTo, at: now, dropped: true }, ...fresh]);
    this.stamps = fresh.length + 1;
  }

  private async bornAt(): Promise<number> {
    try {
      return Math.floor((await stat(this.path('stdout'))).birthtimeMs);
    } catch {
      return this.clock.now();
    }
  }
}

interface TimedLine {
  readonly raw: RawLine;
  readonly line: LogLine;
}

/**
 * Each line with the place behind it. Of the other stream that is the last line before it, or where its first one
 * begins, or its end.
 */
function placed(lines: readonly TimedLine[], ends: Readonly<Record<Stream, number>>): LogLine[] {
  const at = { ...ends };
  for (const { raw, line } of [...lines].reverse()) at[line.stream] = raw.start;
  return lines.map(({ raw, line }) => {
    at[line.stream] = raw.end;
    return { ...line, place: formatPlace(line.run, at) };
  });
}

export async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw thrown;
  }
}
