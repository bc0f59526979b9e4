/**
 * Volumes and run files as folders below the node's data folder: `volumes/<app>/<volume>` and `runs/<slot>/<run>`.
 * Volumes are never emptied and go only when `remove` names them. No quotas, no NFS, no CSI.
 *
 * Invariant: nothing outside `volumes/` and `runs/` is ever removed, also when somebody laid symbolic links.
 */
import {
  chmod,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rm,
  rmdir,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CodedError, coded, type ErrorCode } from '../../../protocols/errors.ts';
import type { Call, Clock, RunFiles, VolumeDriver } from '../../../protocols/ports.ts';
import { DiskUse } from './disk-use.ts';
import {
  appFolder,
  checkSource,
  etcFiles,
  goingVolumes,
  runFilesIn,
  runFolder,
  slotFolder,
  volumeFolder,
  type PrepareRun,
} from './run-files.ts';

export interface DirectoryVolumesOptions {
  /** Absolute; exists. */
  readonly dataDir: string;
  readonly clock: Clock;
}

/** Rejections: HM-DISK-FULL, HM-BIND-MISSING, HM-VOLUME-DRIVER with the path and the system's error code. */
export function createDirectoryVolumes(options: DirectoryVolumesOptions): VolumeDriver {
  const volumesDir = join(options.dataDir, 'volumes');
  const runsDir = join(options.dataDir, 'runs');
  const diskUse = new DiskUse(options.clock);
  return {
    ensure: async ({ app, volume }) => {
      const path = join(volumesDir, volumeFolder(app, volume));
      await onDisk(path, () => makeFolder(path, 0o755));
      return { path };
    },
    bind: ({ source, create }) => bind(source, create),
    remove: async ({ app, volume }, call) => {
      const there = await folders(join(volumesDir, appFolder(app)));
      const removed = goingVolumes(app, volume, there);
      for (const each of removed) await removeVolume(volumesDir, app, each, call);
      return { removed };
    },
    list: async ({ disk }, call) => {
      const volumes: { app: string; volume: string; path: string; diskBytes?: number }[] = [];
      for (const app of await folders(volumesDir)) {
        for (const volume of await folders(join(volumesDir, app))) {
          const path = join(volumesDir, app, volume);
          const diskBytes = disk ? await diskUse.of(path, call.signal) : undefined;
          volumes.push({ app, volume, path, ...(diskBytes === undefined ? {} : { diskBytes }) });
        }
      }
      return { volumes };
    },
    prepareRun: (args) => prepareRun(runsDir, args),
    pruneRuns: async ({ slot, keep }) => {
      const folder = join(runsDir, slotFolder(slot));
      for (const run of await folders(folder)) {
        if (keep.includes(run)) continue;
        const path = join(folder, run);
        await onDisk(path, () => rm(path, { recursive: true, force: true }));
      }
      await rmdir(folder).catch(() => undefined);
      return {};
    },
  };
}

/** The runs whose files are here, of this and of earlier boots. */
export async function runFolders(
  dataDir: string,
): Promise<readonly { readonly slot: string; readonly run: string; readonly folder: string }[]> {
  const runsDir = join(dataDir, 'runs');
  const found: { slot: string; run: string; folder: string }[] = [];
  for (const encoded of await folders(runsDir)) {
    let slot: string;
    try {
      slot = decodeURIComponent(encoded);
    } catch {
      continue; // Not made by us.
    }
    for (const run of await folders(join(runsDir, encoded))) {
      found.push({ slot, run, folder: join(runsDir, encoded, run) });
    }
  }
  return found;
}

async function bind(source: string, create: boolean): Promise<{ path: string }> {
  checkSource(source);
  try {
    await stat(source);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw refusal(source, error);
    if (!create) throw coded('HM-BIND-MISSING', `${source} does not exist`, { source });
    await onDisk(source, () => makeFolder(source, 0o755));
  }
  return { path: source };
}

async function removeVolume(volumesDir: string, app: string, volume: string, call: Call): Promise<void> {
  const path = join(volumesDir, volumeFolder(app, volume));
  const parent = join(volumesDir, app);
  const really = await realpath(parent).catch(() => undefined);
  if (really === undefined) return;
  // The last step of the path may be a link to a larger disk: then only the link goes. A link before it leads astray.
  if (really !== join(await realpath(volumesDir), app)) {
    throw coded('HM-VOLUME-DRIVER', `${parent} leads to ${really}: nothing is removed there`, { path });
  }
  call.signal.throwIfAborted();
  await onDisk(path, () => rm(path, { recursive: true, force: true }));
  await rmdir(parent).catch(() => undefined);
}

/** The log files are only made, never cut: a repeated call meets a run that may be writing already. */
async function prepareRun(runsDir: string, args: PrepareRun): Promise<RunFiles> {
  const folder = join(runsDir, runFolder(args.slot, args.run));
  const prepared = runFilesIn(folder);
  await onDisk(folder, async () => {
    await makeFolder(folder, 0o700);
    const text = (path: string) => readFile(path, 'utf8').catch(() => '');
    const machine = { hosts: await text('/etc/hosts'), resolvConf: await text('/etc/resolv.conf') };
    for (const [file, content] of Object.entries(etcFiles(args, machine))) {
      await writeFile(join(folder, file), content);
      // Any user of the container must be able to read them, whatever the daemon's umask is.
      await chmod(join(folder, file), 0o644);
    }
    for (const path of [prepared.stdoutPath, prepared.stderrPath]) {
      await (await open(path, 'a', 0o600)).close();
    }
  });
  return prepared;
}

/** Node's own recursive mkdir says ENOENT where the disk is full. */
async function makeFolder(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolder(dirname(path), mode);
    await makeFolder(path, mode);
  }
}

async function folders(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    const names = entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink());
    return names.map((entry) => entry.name).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw refusal(path, error);
  }
}

async function onDisk<Value>(path: string, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    throw refusal(path, error);
  }
}

function refusal(path: string, error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  const { code = 'unknown', message } = error as NodeJS.ErrnoException;
  const known: ErrorCode = ['ENOSPC', 'EDQUOT'].includes(code) ? 'HM-DISK-FULL' : 'HM-VOLUME-DRIVER';
  return coded(known, `${path}: ${message}`, { path, error: code });
}
