/**
 * A new volume gets what the image has at its place, with owners and modes, before the first process runs. The image
 * is not trusted: no link in it leads out of it. A copy that was cut off is done again, so that no half of it stays.
 */
import { execFile } from 'node:child_process';
import { chmod, chown, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ResolvedMount } from '../../../../../../protocols/containers/model.ts';
import type { Call } from '../../../../../../protocols/ports.ts';
import { openBelow, outside } from '../../../../../files/anchored.ts';
import type { Serial } from '../../../serial.ts';

const run = promisify(execFile);

/** In a volume that is being filled. */
const mark = '.hivemind-filling';

/** `rootfs`: the mounted root of the image. `serial`: two containers of one volume fill it once. */
export async function fillVolumes(
  rootfs: string,
  mounts: readonly ResolvedMount[],
  serial: Serial,
  call: Call,
): Promise<void> {
  for (const mount of mounts) {
    if (mount.type !== 'bind' || !mount.fill || mount.subpath !== undefined) continue;
    await serial.run(`fill ${mount.source}`, call.signal, () => fill(rootfs, mount.target, mount.source));
  }
}

async function fill(rootfs: string, target: string, volume: string): Promise<void> {
  const present = await readdir(volume);
  if (present.length > 0 && !present.includes(mark)) return;
  const from = await openBelow(rootfs, target).catch(() => undefined);
  if (!from) return;
  try {
    if (!from.stats.isDirectory()) return;
    await writeFile(join(volume, mark), '');
    await run('cp', ['--archive', '--no-target-directory', `${outside(from)}/.`, volume]);
    await chown(volume, from.stats.uid, from.stats.gid);
    await chmod(volume, from.stats.mode & 0o7777);
    await rm(join(volume, mark));
  } finally {
    await from.close();
  }
}
