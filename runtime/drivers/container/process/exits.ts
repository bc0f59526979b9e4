/**
 * What happens to runs, as events: exits and pauses are files in two folders, which are watched, and looked at from
 * time to time because a watch may be missing or miss something. A scan compares with the one before.
 */
import { watch, type FSWatcher } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { ContainerExit, RuntimeEvent } from '../../../../protocols/containers/model.ts';
import { limits } from '../../../../protocols/limits.ts';
import type { Clock, Stop } from '../../../../protocols/ports.ts';
import type { Places } from './places.ts';

interface Known {
  readonly exits: ReadonlyMap<string, ContainerExit>;
  readonly paused: ReadonlySet<string>;
}

interface ExitWatchOptions {
  readonly places: Places;
  readonly clock: Clock;
  /** Whatever a run leaves behind when its first process has ended. */
  readonly sweep: (id: string) => Promise<void>;
}

/** Begins with a `resync`: what ended before is in the list. */
export function watchRuns(options: ExitWatchOptions, notify: (event: RuntimeEvent) => void): Stop {
  const { places, clock } = options;
  let stopped = false;
  let known: Known | undefined;
  let scanning = false;
  let again = false;
  let timer: unknown;
  const watchers: FSWatcher[] = [];
  const tell = (event: RuntimeEvent): void => void (stopped || notify(event));

  const scan = async (): Promise<void> => {
    if (scanning) return void (again = true);
    scanning = true;
    try {
      do {
        again = false;
        const now = await lookAt(places);
        const before = known;
        known = now;
        if (!before) tell({ type: 'resync' });
        else for (const event of differences(before, now)) tell(event);
        for (const [id, exit] of now.exits)
          if (!isSame(before?.exits.get(id), exit)) await options.sweep(id).catch(() => undefined);
      } while (again && !stopped);
    } catch {
      // The data folder is not readable just now: the next look says what has changed.
    } finally {
      scanning = false;
    }
  };
  const later = (): void => {
    timer = clock.setTimer(limits.processWatchMs, () => {
      void scan();
      if (!stopped) later();
    });
  };
  for (const folder of [places.exits, places.pauses]) {
    try {
      watchers.push(watch(folder, { persistent: false }, () => void scan()).on('error', () => undefined));
    } catch {
      // No watch is left on this machine: looking from time to time remains.
    }
  }
  void scan();
  later();
  return () => {
    stopped = true;
    clock.clearTimer(timer);
    for (const watcher of watchers) watcher.close();
  };
}

async function lookAt(places: Places): Promise<Known> {
  const [ended, paused] = await Promise.all([readdir(places.exits), readdir(places.pauses)]);
  const exits = new Map<string, ContainerExit>();
  for (const id of ended) {
    const exit = id.endsWith('.part') ? undefined : await places.exitOf(id);
    if (exit) exits.set(id, exit);
  }
  return { exits, paused: new Set(paused.filter((id) => !id.endsWith('.part'))) };
}

function differences(before: Known, now: Known): readonly RuntimeEvent[] {
  const exits = [...now.exits].filter(([id, exit]) => !isSame(before.exits.get(id), exit));
  const paused = [...now.paused].filter((id) => !before.paused.has(id));
  const goesOn = [...before.paused].filter((id) => !now.paused.has(id) && !now.exits.has(id));
  return [
    ...paused.map((id) => ({ type: 'paused', id, paused: true }) as const),
    ...goesOn.map((id) => ({ type: 'paused', id, paused: false }) as const),
    ...exits.flatMap(([id, { oomKilled }]) => (oomKilled ? [{ type: 'oom', id } as const] : [])),
    ...exits.map(([id, exit]) => ({ type: 'exited', id, exit }) as const),
  ];
}

const isSame = (one: ContainerExit | undefined, other: ContainerExit): boolean =>
  one?.at === other.at && one.code === other.code;
