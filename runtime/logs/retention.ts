/**
 * Logs of slots that are gone stay readable for a while: bounded by age, by how many slots, and by bytes on the disk;
 * the oldest go first. A slot is marked in its own folder, so that a later life of the daemon knows since when.
 */
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { limits } from '../../protocols/limits.ts';
import type { Clock } from '../../protocols/ports.ts';

const markFile = 'retired';

export interface RetentionOptions {
  readonly clock: Clock;
  /** Where the folders of slots are, each called by its slot as `encodeURIComponent` writes it. */
  readonly runsDir: string;
  /** Told of those that are found. */
  readonly rest: (slot: string) => void;
  /** Forgets a slot's runs and removes their files. */
  readonly remove: (slot: string) => Promise<void>;
}

export interface Retention {
  /** The slot is gone: its logs stay for now. Removes what is kept beyond the bounds. */
  retire(slot: string): Promise<void>;
  /** The slot is back. */
  revive(slot: string): Promise<void>;
  close(): void;
}

interface Retired {
  readonly slot: string;
  readonly at: number;
  readonly bytes: number;
}

export async function openRetention(options: RetentionOptions): Promise<Retention> {
  const { clock, runsDir } = options;
  const mark = (slot: string): string => join(runsDir, encodeURIComponent(slot), markFile);
  // One after the other: two that remove the same would meet half of it.
  let busy: Promise<unknown> = Promise.resolve();
  const sweep = (): Promise<unknown> =>
    (busy = busy
      .then(async () => {
        for (const { slot } of beyondBounds(await retiredIn(runsDir), clock.now())) {
          await rm(mark(slot), { force: true });
          await options.remove(slot);
        }
      })
      .catch(() => undefined));
  let timer: unknown;
  const sweepLater = (): void => {
    timer = clock.setTimer(limits.logSweepMs, () => void sweep().then(sweepLater));
  };
  for (const { slot } of await retiredIn(runsDir)) options.rest(slot);
  await sweep();
  sweepLater();
  return {
    retire: async (slot) => {
      // A slot without a folder said nothing.
      await writeFile(mark(slot), String(clock.now()), { mode: 0o600 }).catch(() => undefined);
      await sweep();
    },
    revive: (slot) => rm(mark(slot), { force: true }),
    close: () => clock.clearTimer(timer),
  };
}

/** Oldest first. */
export function beyondBounds(retired: readonly Retired[], now: number): readonly Retired[] {
  const newestFirst = [...retired].sort((a, b) => b.at - a.at);
  let bytes = 0;
  return newestFirst
    .filter((one, nth) => {
      bytes += one.bytes;
      const old = now - one.at > limits.logRetiredMs;
      return old || nth >= limits.logRetiredSlots || bytes > limits.logRetiredBytes;
    })
    .reverse();
}

async function retiredIn(runsDir: string): Promise<readonly Retired[]> {
  const found: Retired[] = [];
  for (const folder of await readdir(runsDir).catch(() => [])) {
    const said = await readFile(join(runsDir, folder, markFile), 'utf8').catch(() => undefined);
    if (said === undefined) continue;
    const bytes = await bytesOn(join(runsDir, folder));
    found.push({ slot: decodeURIComponent(folder), at: Number(said) || 0, bytes });
  }
  return found;
}

/** What the disk gives for it: logs that were rotated have holes. */
async function bytesOn(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    bytes += await stat(join(entry.parentPath, entry.name)).then(
      ({ blocks }) => blocks * 512,
      () => 0,
    );
  }
  return bytes;
}
