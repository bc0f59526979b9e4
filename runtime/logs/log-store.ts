/**
 * The logs of this node's slots over all kept runs: `hivemind logs` reads them here. Told of each new run when its
 * files are made; finds the runs of earlier boots by itself.
 */
import { limits } from '../../protocols/limits.ts';
import type { Clock, Stop } from '../../protocols/ports.ts';
import type { LogLine, LogStore } from '../node-handle.ts';
import { readRange, splitLines } from './lines.ts';
import { RunLog } from './run-log.ts';
import type { Stream } from './stamps.ts';

export interface RunFolder {
  readonly slot: string;
  /** `7.3` */
  readonly run: string;
  readonly folder: string;
}

export interface ManagedLogs extends LogStore {
  /** A run's files were made, or found. */
  track(run: RunFolder): Promise<void>;
  /** Runs of a slot that are no longer kept. */
  forget(slot: string, keep: readonly string[]): void;
  close(): void;
}

const order = (run: string): number => {
  const [placement = 0, count = 0] = run.split('.').map(Number);
  return placement * 1_000_000 + count;
};

/** By run: where the first reading ends and following begins. */
type Ends = Map<string, Readonly<Record<Stream, number>>>;
type Listener = (log: RunLog, at: number, untilAt: number | undefined) => void;

export function createLogStore(clock: Clock): ManagedLogs {
  const bySlot = new Map<string, RunLog[]>();
  const listeners = new Map<string, Set<Listener>>();

  const track = async (run: RunFolder): Promise<void> => {
    const logs = bySlot.get(run.slot) ?? [];
    if (logs.some((log) => log.run === run.run)) return;
    const log = new RunLog({ clock, ...run });
    const sorted = [...logs, log].sort((a, b) => order(a.run) - order(b.run));
    bySlot.set(run.slot, sorted);
    log.onGrowth = (at, untilAt) => {
      for (const listener of listeners.get(run.slot) ?? []) listener(log, at, untilAt);
    };
    await log.begin();
    // Only the two newest are watched: an older run has ended.
    for (const old of sorted.slice(0, -2)) old.end();
  };

  const read = async (slot: string, tail: number, upTo?: Ends): Promise<LogLine[]> => {
    const lines: LogLine[] = [];
    for (const log of [...(bySlot.get(slot) ?? [])].reverse()) {
      if (lines.length >= tail) break;
      lines.unshift(...(await log.tail(tail - lines.length, upTo?.get(log.run))));
    }
    return lines;
  };

  const follow = (slot: string, tail: number, listener: (line: LogLine) => void): Stop => {
    const follower = new Follower(slot, listener);
    const heard: Listener = (log, at, untilAt) => follower.grew(log, at, untilAt);
    // From here on growth is followed; what was there before is read once, up to here.
    const ends: Ends = new Map();
    for (const log of bySlot.get(slot) ?? []) {
      ends.set(log.run, { ...log.ends });
      follower.skip(log);
    }
    listeners.set(slot, (listeners.get(slot) ?? new Set()).add(heard));
    follower.first(read(slot, tail, ends));
    return () => {
      follower.stop();
      listeners.get(slot)?.delete(heard);
    };
  };

  return {
    track,
    read: ({ slot, tail }) => read(slot, tail),
    follow: ({ slot, tail }, listener) => follow(slot, tail, listener),
    forget: (slot, keep) => {
      const logs = bySlot.get(slot) ?? [];
      for (const log of logs) if (!keep.includes(log.run)) log.end();
      const kept = logs.filter((log) => keep.includes(log.run));
      if (kept.length > 0) bySlot.set(slot, kept);
      else bySlot.delete(slot);
    },
    close: () => {
      for (const logs of bySlot.values()) for (const log of logs) log.end();
      bySlot.clear();
      listeners.clear();
    },
  };
}

/** One reader: in order, each byte once. */
class Follower {
  private readonly slot: string;
  private readonly listener: (line: LogLine) => void;
  private readonly offsets = new Map<string, { next: number; rest: Buffer }>();
  private work: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(slot: string, listener: (line: LogLine) => void) {
    this.slot = slot;
    this.listener = listener;
  }

  skip(log: RunLog): void {
    for (const stream of ['stdout', 'stderr'] as const)
      this.offsets.set(`${log.run}/${stream}`, { next: log.ends[stream], rest: Buffer.alloc(0) });
  }

  first(lines: Promise<readonly LogLine[]>): void {
    this.after(async () => (await lines).forEach((line) => this.say(line)));
  }

  grew(log: RunLog, at: number, untilAt: number | undefined): void {
    const ends = { ...log.ends };
    this.after(async () => {
      for (const stream of ['stdout', 'stderr'] as const)
        await this.catchUp(log, stream, ends[stream], at, untilAt);
    });
  }

  stop(): void {
    this.stopped = true;
  }

  private async catchUp(
    log: RunLog,
    stream: Stream,
    end: number,
    at: number,
    untilAt: number | undefined,
  ): Promise<void> {
    const key = `${log.run}/${stream}`;
    const place = this.offsets.get(key) ?? { next: log.kept[stream], rest: Buffer.alloc(0) };
    this.offsets.set(key, place);
    while (place.next < end && !this.stopped) {
      const bytes = await readRange(
        log.path(stream),
        place.next,
        Math.min(end, place.next + limits.logFileBytes),
      );
      if (bytes.length === 0) return;
      place.next += bytes.length;
      const joined = Buffer.concat([place.rest, bytes]);
      const { lines, rest } = splitLines(joined, place.next - joined.length);
      place.rest = rest;
      const range = untilAt === undefined ? {} : { untilAt };
      for (const line of lines)
        this.say({ slot: this.slot, run: log.run, stream, at, ...range, text: line.text });
    }
  }

  private say(line: LogLine): void {
    if (!this.stopped) this.listener(line);
  }

  private after(step: () => Promise<void>): void {
    this.work = this.work.then(step).catch(() => undefined);
  }
}
