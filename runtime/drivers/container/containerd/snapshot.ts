/**
 * Preparing a snapshot on a containerd that may have been killed while it prepared the one before. Used by
 * whoever makes writable snapshots: containers, and the unpacking of layers.
 */
import { rm } from 'node:fs/promises';
import { createSerial } from './containers/serial.ts';
import { failureText } from './failure.ts';
import { Snapshots } from './gen/services/snapshots_pb.ts';
import type { Mount } from './gen/types/types_pb.ts';
import type { CallLimits, Connection } from './rpc.ts';

export interface SnapshotWish {
  readonly snapshotter: string;
  readonly key: string;
  /** Empty for one without a parent. */
  readonly parent: string;
  readonly labels?: Record<string, string>;
}

/** One mend at a time in this process: a second one would find the folder in use again. */
const mending = createSerial();

/** The mounts of a new writable snapshot. Rejects as `Snapshots.Prepare` does. */
export async function prepareSnapshot(
  connection: Connection,
  wish: SnapshotWish,
  limits: CallLimits,
): Promise<readonly Mount[]> {
  const prepare = async () => (await connection.unary(Snapshots.method.prepare, wish, limits)).mounts;
  try {
    return await prepare();
  } catch (error) {
    const orphan = orphanedFolder(failureText(error));
    if (orphan === undefined) throw error;
    const signal = limits.signal ?? new AbortController().signal;
    return mending.run(orphan, signal, async () => {
      // Asked again inside: who came before may have mended it, and the folder may be in use by now.
      const stillThere = await prepare().catch((again: unknown) => {
        if (orphanedFolder(failureText(again)) !== orphan) throw again;
        return undefined;
      });
      if (stillThere) return stillThere;
      await rm(orphan, { recursive: true, force: true });
      return prepare();
    });
  }
}

/**
 * The folder in the way of a new snapshot, from the snapshotter's text. A containerd that dies between moving a
 * snapshot's folder to its number and recording it gives that number out again, so every prepare fails from then
 * on: the folder belongs to nobody, and containerd removes such folders only after it removed some snapshot.
 */
export function orphanedFolder(text: string): string | undefined {
  const found = /rename (\S+) (\S+): file exists/.exec(text);
  const folder = found?.[2];
  const fits = folder !== undefined && /\/io\.containerd\.snapshotter\.v1\.\w+\/snapshots\/\d+$/.test(folder);
  return fits ? folder : undefined;
}
