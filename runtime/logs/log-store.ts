/**
 * The logs of this node's slots over all kept runs: `hivemind logs` reads them here. Told of each new run when its
 * files are made; finds the runs of earlier boots by itself.
 */
import type { LoggingSettings } from '../../protocols/apps/service-model.ts';
import type { Clock, Stop } from '../../protocols/ports.ts';
import type { LogLine, LogStore, LogWish } from '../node-handle.ts';
import { chosenBy, structured } from './choice.ts';
import { Follower } from './follower.ts';
import { behind, runOrder } from '../../protocols/listing/log-place.ts';
import { noteLogging } from './rotation.ts';
import { RunLog } from './run-log.ts';
import type { Stream } from './stamps.ts';

export interface RunFolder {
  readonly slot: string;
  /** `7.3` */
  readonly run: string;
  readonly folder: string;
  /** As the service says it; absent: as it was noted before. */
  readonly logging?: LoggingSettings;
}

export interface ManagedLogs extends LogStore {
  /** A run's files were made, or found. */
  track(run: RunFolder): Promise<void>;
  /** Runs of a slot that are no longer kept. */
  forget(slot: string, keep: readonly string[]): void;
  /** Its slot is gone: nothing more comes, and what is there stays readable. */
  rest(slot: string): void;
  close(): void;
}

/** By run: where the first reading ends and following begins. */
type Ends = Map<string, Readonly<Record<Stream, number>>>;
type Hears = Parameters<LogStore['follow']>[1];
type Listener = (log: RunLog, at: number, untilAt: number | undefined) => void;

export function createLogStore(clock: Clock): ManagedLogs {
  const bySlot = new Map<string, RunLog[]>();
  const listeners = new Map<string, Set<Listener>>();

  const track = async (run: RunFolder): Promise<void> => {
    const logs = bySlot.get(run.slot) ?? [];
    if (logs.some((log) => log.run === run.run)) return;
    const log = new RunLog({ clock, ...run });
    const sorted = [...logs, log].sort((a, b) => runOrder(a.run) - runOrder(b.run));
    bySlot.set(run.slot, sorted);
    log.onGrowth = (at, untilAt) => {
      for (const listener of listeners.get(run.slot) ?? []) listener(log, at, untilAt);
    };
    if (run.logging) await noteLogging(run.folder, run.logging);
    await log.begin();
    // Only the two newest are watched: an older run has ended.
    for (const old of sorted.slice(0, -2)) old.end();
  };

  const read = async ({ slot, tail, ...choice }: LogWish, upTo?: Ends): Promise<LogLine[]> => {
    const chosen = chosenBy(choice);
    const lines: LogLine[] = [];
    const all = [...(bySlot.get(slot) ?? [])].reverse();
    for (const log of choice.previous ? all.slice(1, 2) : all) {
      if (lines.length >= tail) break;
      lines.unshift(...(await log.tail(tail - lines.length, upTo?.get(log.run), chosen)));
    }
    return lines.map(structured);
  };

  const follow = (wish: LogWish, heardLine: Hears): Stop => {
    const { slot } = wish;
    const chosen = chosenBy(wish);
    const listener: Hears = (line) => (!chosen || chosen(line) ? heardLine(structured(line)) : undefined);
    const follower = new Follower(slot, listener);
    const heard: Listener = (log, at, untilAt) => follower.grew(log, at, untilAt);
    listeners.set(slot, (listeners.get(slot) ?? new Set()).add(heard));
    // From here on growth is followed; what was there before is read once, up to here.
    const logs = bySlot.get(slot) ?? [];
    if (wish.after !== undefined) follower.resume(logs, wish.after);
    else follower.begin(logs, read(wish, new Map(logs.map((log) => [log.run, { ...log.ends }]))));
    return () => {
      follower.stop();
      listeners.get(slot)?.delete(heard);
    };
  };

  return {
    track,
    read: async (wish) => behind(await read(wish), wish.after),
    follow,
    isMute: (slot) => bySlot.get(slot)?.at(-1)?.logging.driver === 'none',
    rest: (slot) => {
      for (const log of bySlot.get(slot) ?? []) log.end();
    },
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
