/**
 * What folders take on their disk, by walking them: one walk at a time, never further than a limit, and an answer is
 * given again for a while. What is walked may change meanwhile; the sum is as good as any moment's.
 */
import type { Dir, Stats } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import { limits } from '../../../protocols/limits.ts';
import type { Clock } from '../../../protocols/ports.ts';

export class DiskUse {
  readonly #clock: Clock;
  /** `bytes` is absent where there was too much to count. */
  readonly #known = new LRUCache<string, { readonly at: number; readonly bytes?: number }>({
    max: limits.diskUseFolders,
  });
  #turn: Promise<unknown> = Promise.resolve();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Bytes in use; `undefined` when there is more than can be counted. */
  of(folder: string, signal: AbortSignal): Promise<number | undefined> {
    const turn = this.#turn.then(async () => {
      const known = this.#known.get(folder);
      if (known && this.#clock.monotonicMs() - known.at < limits.diskUseMs) return known.bytes;
      const bytes = await walk(folder, signal);
      this.#known.set(folder, { at: this.#clock.monotonicMs(), ...(bytes === undefined ? {} : { bytes }) });
      return bytes;
    });
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

/** Links are not followed; a file with several names counts once. */
async function walk(root: string, signal: AbortSignal): Promise<number | undefined> {
  const folders = [root];
  const several = new Set<string>();
  let bytes = 0;
  let left: number = limits.diskUseEntries;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for await (const { name } of await entriesOf(folder)) {
      signal.throwIfAborted();
      if (--left < 0) return undefined;
      const path = join(folder, name);
      const stats = await statsOf(path);
      if (!stats) continue;
      if (stats.isDirectory()) folders.push(path);
      const id = `${stats.dev}:${stats.ino}`;
      if (stats.nlink > 1 && !stats.isDirectory()) {
        if (several.has(id)) continue;
        several.add(id);
      }
      bytes += stats.blocks * 512;
    }
  }
  return bytes;
}

/** It may have gone meanwhile. */
const entriesOf = (folder: string): Promise<Dir | []> => opendir(folder).catch(() => []);
const statsOf = (path: string): Promise<Stats | undefined> => lstat(path).catch(() => undefined);
