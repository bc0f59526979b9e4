/**
 * Volumes and run files of a simulated machine. They outlive every life of the daemon, as folders do; a test or a
 * checker reads and writes `files`, takes paths away and fills the disk.
 */
import { coded } from '../../../protocols/errors.ts';
import type { RunFiles, VolumeDriver } from '../../../protocols/ports.ts';
import {
  appFolder,
  checkSource,
  etcFiles,
  goingVolumes,
  runFilesIn,
  runFolder,
  slotFolder,
  volumeFolder,
} from './run-files.ts';

interface Volume {
  readonly app: string;
  readonly volume: string;
  readonly path: string;
}

export class MemoryVolumes implements VolumeDriver {
  /** By `app/volume`. The path has a number, so that a volume made anew is not taken for the one before. */
  readonly volumes = new Map<string, Volume>();
  /** Path → text, of volumes and runs alike. */
  readonly files = new Map<string, string>();
  /** Bind sources that do not exist. */
  readonly missing = new Set<string>();
  /** Nothing more can be written. */
  full = false;
  /** How often something on the machine was made or removed. */
  changes = 0;

  ensure: VolumeDriver['ensure'] = async ({ app, volume }) => {
    const key = volumeFolder(app, volume);
    const known = this.volumes.get(key);
    if (known) return { path: known.path };
    this.#change(key);
    const path = `/volumes/${key}#${this.changes}`;
    this.volumes.set(key, { app, volume, path });
    return { path };
  };

  bind: VolumeDriver['bind'] = async ({ source, create }) => {
    checkSource(source);
    if (!this.missing.has(source)) return { path: source };
    if (!create) throw coded('HM-BIND-MISSING', `${source} does not exist`, { source });
    this.#change(source);
    this.missing.delete(source);
    return { path: source };
  };

  remove: VolumeDriver['remove'] = async ({ app, volume }) => {
    const own = [...this.volumes.values()].filter((each) => each.app === appFolder(app));
    const there = own.map((each) => each.volume);
    const removed = goingVolumes(app, volume, there);
    for (const key of removed.map((each) => volumeFolder(app, each))) {
      const { path } = this.volumes.get(key)!;
      this.changes += 1;
      this.volumes.delete(key);
      this.#forget(`${path}/`);
    }
    return { removed };
  };

  list: VolumeDriver['list'] = async ({ disk }) => ({
    volumes: [...this.volumes.values()]
      .sort((a, b) => (`${a.app}/${a.volume}` < `${b.app}/${b.volume}` ? -1 : 1))
      .map((one) => (disk ? { ...one, diskBytes: this.#sizeOf(one.path) } : one)),
  });

  #sizeOf(folder: string): number {
    const inside = [...this.files].filter(([path]) => path.startsWith(`${folder}/`));
    return inside.reduce((sum, [, text]) => sum + Buffer.byteLength(text), 0);
  }

  prepareRun: VolumeDriver['prepareRun'] = async (args): Promise<RunFiles> => {
    const folder = `/runs/${runFolder(args.slot, args.run)}`;
    const prepared = runFilesIn(folder);
    const machine = { hosts: '', resolvConf: 'nameserver 192.0.2.53\n' };
    for (const [file, text] of Object.entries(etcFiles(args, machine)))
      this.#write(`${folder}/${file}`, text);
    for (const path of [prepared.stdoutPath, prepared.stderrPath]) {
      this.#write(path, this.files.get(path) ?? '');
    }
    return prepared;
  };

  pruneRuns: VolumeDriver['pruneRuns'] = async ({ slot, keep }) => {
    const start = `/runs/${slotFolder(slot)}/`;
    const runs = [...this.files.keys()]
      .filter((path) => path.startsWith(start))
      .map((path) => path.slice(start.length).split('/')[0] ?? '');
    for (const run of new Set(runs)) if (!keep.includes(run)) this.#forget(`${start}${run}/`);
    return {};
  };

  #write(path: string, text: string): void {
    if (this.files.get(path) === text) return;
    this.#change(path);
    this.files.set(path, text);
  }

  #change(path: string): void {
    if (this.full) throw coded('HM-DISK-FULL', `no space is left for ${path}`, { path });
    this.changes += 1;
  }

  #forget(start: string): void {
    for (const path of this.files.keys()) if (path.startsWith(start)) this.files.delete(path);
  }
}
