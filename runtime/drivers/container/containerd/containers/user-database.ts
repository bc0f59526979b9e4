/**
 * /etc/passwd and /etc/group of an image or a running container, read from the host without mounting anything:
 * a snapshot's layers are folders, and a process shows its root under /proc. What is inside is not trusted: no
 * link is followed, and a long file counts as none.
 */
import { constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { UserDatabase } from '../../../../../protocols/containers/oci/types.ts';
import type { Call } from '../../../../../protocols/ports.ts';
import type { Engine } from '../engine.ts';
import { failedWith } from '../failure.ts';
import { Leases } from '../gen/services/leases_pb.ts';
import { Snapshots } from '../gen/services/snapshots_pb.ts';
import type { Mount } from '../gen/types/types_pb.ts';
import { status } from '@grpc/grpc-js';

const fileBytes = 1024 * 1024;
/** The view lives for a few calls; should the daemon die meanwhile, containerd collects it after this. */
const leaseMs = 60_000;

/** Of all layers below `chainId`. `id` names the view meanwhile: no other is called so. */
export async function userDatabaseOfImage(
  engine: Engine,
  chainId: string,
  id: string,
  call: Call,
): Promise<UserDatabase> {
  if (chainId === '') return { passwd: '', group: '' };
  const { snapshotter } = await engine.facts(call);
  const limits = engine.callLimits(call);
  const expire = new Date(engine.clock.now() + leaseMs).toISOString();
  await engine.connection.unary(
    Leases.method.create,
    { id, labels: { 'containerd.io/gc.expire': expire } },
    limits,
  );
  try {
    const { mounts } = await engine.connection.unary(
      Snapshots.method.view,
      { snapshotter, key: id, parent: chainId },
      { ...limits, lease: id },
    );
    const layers = layersOf(mounts);
    return { passwd: await readFirst(layers, 'passwd'), group: await readFirst(layers, 'group') };
  } finally {
    // The view belongs to the lease alone: it goes with it.
    await engine.connection.unary(Leases.method.delete, { id }, limits).catch((error: unknown) => {
      if (!failedWith(error, status.NOT_FOUND)) throw error;
    });
  }
}

/** As the container sees it now. */
export async function userDatabaseOfProcess(pid: number): Promise<UserDatabase> {
  const root = [`/proc/${pid}/root`];
  return { passwd: await readFirst(root, 'passwd'), group: await readFirst(root, 'group') };
}

/** The folders that lie over each other, topmost first. */
export function layersOf(mounts: readonly Pick<Mount, 'type' | 'source' | 'options'>[]): readonly string[] {
  const mount = mounts[0];
  if (!mount) return [];
  if (mount.type !== 'overlay') return [mount.source];
  const lower = mount.options.find((option) => option.startsWith('lowerdir='));
  return lower?.slice('lowerdir='.length).split(':') ?? [];
}

async function readFirst(layers: readonly string[], name: string): Promise<string> {
  for (const layer of layers) {
    const etc = await lstat(join(layer, 'etc')).catch(() => undefined);
    if (!etc) continue;
    if (!etc.isDirectory()) return '';
    const path = join(layer, 'etc', name);
    const found = await lstat(path).catch(() => undefined);
    if (!found) continue;
    // A whiteout (a character device) says that an upper layer removed it.
    return found.isFile() && found.size <= fileBytes ? await readPlain(path) : '';
  }
  return '';
}

async function readPlain(path: string): Promise<string> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => undefined);
  if (!handle) return '';
  try {
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}
