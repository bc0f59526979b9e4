/**
 * Preparing a snapshot on a containerd that may have been killed while it prepared the one before. Used by
 * whoever makes writable snapshots: containers, and the unpacking of layers.
 */
import { createSerial } from '../serial.ts';
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

const turns = createSerial();

/**
 * The mounts of a new writable snapshot. Rejects as `Snapshots.Prepare` does.
 *
 * A containerd that dies between moving a snapshot's folder to its number and recording it gives that number out
 * again: the next prepare fails with "file exists", and removes the folder as it fails. So it is asked once more,
 * and one at a time in this process: containerd removes the folder after it let go of its lock, and would take
 * one away that another prepare has just put there. Its database lets only one write at a time anyway.
 */
export async function prepareSnapshot(
  connection: Connection,
  wish: SnapshotWish,
  limits: CallLimits,
): Promise<readonly Mount[]> {
  const prepare = async () => (await connection.unary(Snapshots.method.prepare, wish, limits)).mounts;
  return turns.run(wish.snapshotter, limits.signal ?? new AbortController().signal, async () => {
    try {
      return await prepare();
    } catch (error) {
      if (!isOrphanInTheWay(failureText(error))) throw error;
      return prepare();
    }
  });
}

/** The snapshotter's own words for a number whose folder is there already. */
export function isOrphanInTheWay(text: string): boolean {
  return /rename \S+ \S+\/snapshots\/\d+: file exists/.test(text);
}
