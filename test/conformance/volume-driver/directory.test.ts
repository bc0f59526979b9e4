/** Folders of this machine under the volume driver's conformance suite; the full disk is a small tmpfs, mounted as root only. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { realClock } from '../../kit/containerd.ts';
import { createDirectoryVolumes } from '../../../runtime/drivers/volume/directory.ts';
import { volumeDriverConformance } from './suite.ts';

volumeDriverConformance('directory', async () => {
  const root = await mkdtemp(join(tmpdir(), 'hm-volumes-'));
  const disk = join(root, 'disk');
  await mkdir(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]);
  const unmount = () => execFileSync('umount', [disk]);
  process.once('exit', unmount);
  const dataDir = join(disk, 'node');
  const source = join(disk, 'site');
  await mkdir(dataDir);
  await mkdir(source);
  const driver = () => createDirectoryVolumes({ dataDir, clock: realClock });
  return {
    volumes: driver(),
    again: driver,
    write: (path, text) => writeFile(path, text),
    read: (path) => readFile(path, 'utf8').catch(() => undefined),
    source,
    missingSource: join(disk, 'nothing', 'here'),
    // No inodes are left beside those in use: also an empty file is refused.
    fill: () => Promise.resolve(void execFileSync('mount', ['-o', 'remount,nr_inodes=6', disk])),
    close: async () => {
      process.removeListener('exit', unmount);
      unmount();
      await rm(root, { recursive: true });
    },
  };
});
