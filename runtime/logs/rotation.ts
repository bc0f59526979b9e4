/**
 * How much of a run's output is kept. What the service says of it stands in the run's folder, so that a later life of
 * the daemon goes by it too.
 */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoggingSettings } from '../../protocols/apps/service-model.ts';
import { limits } from '../../protocols/limits.ts';

const file = 'logging';

export async function noteLogging(folder: string, settings: LoggingSettings): Promise<void> {
  await writeFile(join(folder, file), JSON.stringify(settings), { mode: 0o600 });
}

/** Nothing special where nothing was noted, or half of it. */
export async function notedLogging(folder: string): Promise<LoggingSettings> {
  try {
    return JSON.parse(await readFile(join(folder, file), 'utf8')) as LoggingSettings;
  } catch {
    return {};
  }
}

/** Bytes of each stream. A size alone is one file of it, as with Docker. */
export function keptBytes({ driver, maxSizeBytes, maxFiles }: LoggingSettings): number {
  if (driver === 'none') return 0;
  const files = maxFiles ?? (maxSizeBytes === undefined ? limits.logFiles : 1);
  return (maxSizeBytes ?? limits.logFileBytes) * files;
}

/**
 * Where a stream of `end` bytes, of which those before `kept` are gone already, shall begin now; `undefined`: as it is.
 * Goes a quarter below what is kept, so that it is not asked again at once.
 */
export function cutAt(settings: LoggingSettings, kept: number, end: number): number | undefined {
  const most = keptBytes(settings);
  if (most === 0) return end > kept ? end : undefined;
  const rest = Math.floor((most * 3) / 4);
  return end - kept > Math.max(most, rest + limits.logStepBytes) ? end - rest : undefined;
}

/** util-linux is essential on Debian; a file system that cannot do it keeps the bytes: `false`. */
export function punchHole(path: string, upTo: number): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(
      'fallocate',
      ['--punch-hole', '--offset', '0', '--length', String(upTo), path],
      { timeout: 10_000 },
      (error) => resolve(!error),
    );
  });
}
