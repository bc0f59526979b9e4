/**
 * Layers of an image onto snapshots, one on the other, each under its chain id: what root file systems of containers
 * are then made from. containerd does the work; a chain that is there is not made again.
 */
import { status } from '@grpc/grpc-js';
import { failedWith, isGone } from '../failure.ts';
import { Diff } from '../gen/services/diff_pb.ts';
import { Snapshots } from '../gen/services/snapshots_pb.ts';
import { chainId } from '../image-config.ts';
import type { CallLimits, Connection } from '../rpc.ts';
import { labelBlob } from './content.ts';
import { LayoutError, type PlatformImage } from './layout.ts';

/** Answers whether anything had to be unpacked. LayoutError when a layer is not what the configuration says. */
export async function unpack(
  connection: Connection,
  snapshotter: string,
  leased: CallLimits & { readonly lease: string },
  image: PlatformImage,
): Promise<boolean> {
  const top = chainId(image.diffIds);
  // First the label, then the look: from here on the snapshots stay as long as the configuration does.
  await labelBlob(connection, leased, image.config.digest, {
    [`containerd.io/gc.ref.snapshot.${snapshotter}`]: top,
  });
  if (await hasSnapshot(connection, snapshotter, leased, top)) return false;
  for (let depth = 1; depth <= image.layers.length; depth++) {
    const name = chainId(image.diffIds.slice(0, depth));
    if (await hasSnapshot(connection, snapshotter, leased, name)) continue;
    await unpackLayer(connection, snapshotter, leased, image, depth, name);
  }
  return true;
}

export async function hasSnapshot(
  connection: Connection,
  snapshotter: string,
  limits: CallLimits,
  key: string,
): Promise<boolean> {
  // An image without layers needs none.
  if (key === '') return true;
  try {
    await connection.unary(Snapshots.method.stat, { snapshotter, key }, limits);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

async function unpackLayer(
  connection: Connection,
  snapshotter: string,
  leased: CallLimits & { readonly lease: string },
  image: PlatformImage,
  depth: number,
  name: string,
): Promise<void> {
  const layer = image.layers[depth - 1]!;
  const key = `unpack-${leased.lease} ${name}`;
  const parent = chainId(image.diffIds.slice(0, depth - 1));
  const { mounts } = await connection.unary(Snapshots.method.prepare, { snapshotter, key, parent }, leased);
  try {
    const diff = { mediaType: layer.mediaType, digest: layer.digest, size: BigInt(layer.size) };
    const { applied } = await connection.unary(Diff.method.apply, { diff, mounts }, leased);
    const wanted = image.diffIds[depth - 1];
    if (applied?.digest !== wanted)
      throw new LayoutError(
        `layer ${layer.digest} unpacks to ${applied?.digest}, its configuration says ${wanted}`,
      );
    await connection.unary(Snapshots.method.commit, { snapshotter, name, key }, leased);
  } catch (error) {
    const { timeoutMs } = leased;
    await connection
      .unary(Snapshots.method.remove, { snapshotter, key }, timeoutMs === undefined ? {} : { timeoutMs })
      .catch(() => {});
    // Somebody else was faster: just as good.
    if (!failedWith(error, status.ALREADY_EXISTS)) throw error;
  }
}
