/**
 * Mounts on the machine that live as long as a container: /dev/shm that others may share, and folders below a volume,
 * held by a mount so that a link laid in the volume later leads nowhere else. `MOUNTS/<id>/<name>`.
 */
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ContainerCreate, ResolvedMount } from '../../../../../../protocols/containers/model.ts';
import { coded } from '../../../../../../protocols/errors.ts';
import { openBelow, outside } from '../../../../../files/anchored.ts';

const run = promisify(execFile);

const folderOf = (mountsDir: string, id: string): string => join(mountsDir, id);
export const sharedMemoryOf = (mountsDir: string, id: string): string => join(folderOf(mountsDir, id), 'shm');

/** Answers where it is mounted. What a died create left is used on. */
export async function mountSharedMemory(mountsDir: string, create: ContainerCreate): Promise<string> {
  const path = sharedMemoryOf(mountsDir, create.id);
  if (await isMounted(path)) return path;
  await mkdir(path, { recursive: true, mode: 0o700 });
  const size = create.spec.isolation?.shmSizeBytes ?? 64 * 1024 * 1024;
  await run('mount', ['-t', 'tmpfs', '-o', `nosuid,nodev,noexec,mode=1777,size=${size}`, 'shm', path]);
  return path;
}

/** The mounts with every subpath held. HM-BIND-MISSING when the folder is not there. */
export async function holdSubpaths(
  mountsDir: string,
  id: string,
  mounts: readonly ResolvedMount[],
): Promise<readonly ResolvedMount[]> {
  const held: ResolvedMount[] = [];
  for (const [index, mount] of mounts.entries()) {
    if (mount.type !== 'bind' || mount.subpath === undefined) held.push(mount);
    else {
      const { subpath, ...rest } = mount;
      held.push({ ...rest, source: await hold(mountsDir, id, `sub-${index}`, mount.source, subpath) });
    }
  }
  return held;
}

async function hold(
  mountsDir: string,
  id: string,
  name: string,
  source: string,
  subpath: string,
): Promise<string> {
  const anchor = await openBelow(source, subpath).catch((error: unknown) => {
    const why = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw coded('HM-BIND-MISSING', `The volume has no folder ${subpath} (${why})`, { subpath, source });
  });
  try {
    const path = join(folderOf(mountsDir, id), name);
    if (await isMounted(path)) return path;
    await mkdir(anchor.stats.isDirectory() ? path : folderOf(mountsDir, id), {
      recursive: true,
      mode: 0o700,
    });
    if (!anchor.stats.isDirectory()) await run('touch', [path]);
    await run('mount', ['--bind', outside(anchor), path]);
    return path;
  } finally {
    await anchor.close();
  }
}

/** Idempotent. Nothing that is still mounted is ever deleted. */
export async function releaseMounts(mountsDir: string, id: string): Promise<void> {
  const folder = folderOf(mountsDir, id);
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    while (await isMounted(path)) await run('umount', ['--lazy', path]);
    await rmdir(path).catch((error: NodeJS.ErrnoException) =>
      error.code === 'ENOTDIR' ? rm(path, { force: true }) : undefined,
    );
  }
  await rmdir(folder).catch(() => undefined);
}

async function isMounted(path: string): Promise<boolean> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  const written = path.replace(
    /[\\ \t\n]/g,
    (sign) => `\\${sign.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
  return table.split('\n').some((line) => line.split(' ')[4] === written);
}
