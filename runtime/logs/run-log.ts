/**
 * The log of one run: two raw files that the shim appends to, and their stamps. Watched while it is the newest run
 * of its slot; rotated without losing a byte by giving the disk blocks of old bytes back, so offsets never change.
 */
import { execFile } from 'node:child_process';
import { watch, type FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { limits } from '../../protocols/limits.ts';
import type { Clock } from '../../protocols/ports.ts';
import type { LogLine } from '../node-handle.ts';
import { allLines, tailLines, type RawLine } from './lines.ts';
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
    const stamps = await readStamps(this.path('stamps'));
    this.stamps = stamps.length;
    let last = 0;
    for (const stamp of stamps) {
      last = Math.max(last, stamp.untilAt ?? stamp.at);
      if (stamp.dropped) this.kept[stamp.stream] = stamp.end;
      else this.ends[stamp.stream] = Math.max(this.ends[stamp.stream], stamp.end);
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
    const lines: LogLine[] = [];
    for (const stream of streams) {
      const size = upTo?.[stream] ?? (await sizeOf(this.path(stream)));
      const from = keptFrom(stamps, stream);
      const timed = stampsOf(stamps, stream);
      if (chosen === undefined) {
        for (const raw of await tailLines(this.path(stream), from, size, count))
          lines.push(this.stamped(stream, raw, timed));
        continue;
      }
      let own: LogLine[] = [];
      for await (const raws of allLines(this.path(stream), from, size)) {
        own.push(...raws.map((raw) => this.stamped(stream, raw, timed)).filter(chosen));
        if (own.length > count) own = own.slice(-count);
      }
      lines.push(...own);
    }
    return lines.sort((a, b) => a.at - b.at).slice(-count);
  }

  private stamped(stream: Stream, { end, text }: RawLine, stamps: readonly Stamp[]): LogLine {
    const { at, untilAt } = stampOf(stamps, end) ?? { at: this.clock.now() };
    const until = untilAt === undefined ? {} : { untilAt };
    return { slot: this.slot, run: this.run, stream, at, ...until, text };
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

  /** Give back the blocks of what is older than the kept amount, a whole file's worth at a time. */
  private async rotate(stream: Stream, end: number, now: number): Promise<void> {
    const surplus = end - this.kept[stream] - limits.logFileBytes * limits.logFiles;
    if (surplus < limits.logFileBytes) return;
    const upTo = this.kept[stream] + Math.floor(surplus / limits.logFileBytes) * limits.logFileBytes;
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

export async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw thrown;
  }
}

/** util-linux is essential on Debian; a file system that cannot do it keeps the bytes. */
function punchHole(path: string, upTo: number): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(
      'fallocate',
      ['--punch-hole', '--offset', '0', '--length', String(upTo), path],
      { timeout: 10_000 },
      (error) => resolve(!error),
    );
  });
}
