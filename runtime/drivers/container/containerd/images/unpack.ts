/**
 * Layers of an image onto snapshots, one on the other, each under its chain id: what root file systems of containers
 * are then made from. containerd does the work; a chain that is there is not made again.
 */
import { status } from '@grpc/grpc-js';
import { coded } from '../../../../../protocols/errors.ts';
import { limits } from '../../../../../protocols/limits.ts';
import type { Clock } from '../../../../../protocols/ports.ts';
import { failedWith, isGone } from '../failure.ts';
import { Diff } from '../gen/services/diff_pb.ts';
import { Snapshots } from '../gen/services/snapshots_pb.ts';
import { chainId } from '../image-config.ts';
import type { CallLimits, Connection } from '../rpc.ts';
import { labelBlob } from './content.ts';
import { LayoutError, type Descriptor, type PlatformImage } from './layout.ts';

/** Wherever it comes from, a layer is not trusted to be as large as it looks. */
export interface UnpackBounds {
  readonly clock: Pick<Clock, 'setTimer' | 'clearTimer'>;
  /** What a layer may unpack to in any case; beyond it counts how small it was packed. */
  readonly maxBytes: number;
}

/** For layers that come while others are unpacked. */
export interface Arrivals {
  arrived(layer: Descriptor): Promise<void>;
  told(layer: Descriptor, phase: 'unpacking' | 'done'): void;
}

type Leased = CallLimits & { readonly lease: string };

/** Answers whether anything had to be unpacked. LayoutError when a layer is not what the configuration says. */
export async function unpack(
  connection: Connection,
  snapshotter: string,
  leased: Leased,
  image: PlatformImage,
  bounds: UnpackBounds,
  arrivals?: Arrivals,
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
    const layer = image.layers[depth - 1]!;
    await arrivals?.arrived(layer);
    arrivals?.told(layer, 'unpacking');
    await unpackLayer(connection, snapshotter, leased, image, depth, name, bounds);
    arrivals?.told(layer, 'done');
  }
  return true;
}

export async function hasSnapshot(
  connection: Connection,
  snapshotter: string,
  callLimits: CallLimits,
  key: string,
): Promise<boolean> {
  // An image without layers needs none.
  if (key === '') return true;
  try {
    await connection.unary(Snapshots.method.stat, { snapshotter, key }, callLimits);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

async function unpackLayer(
  connection: Connection,
  snapshotter: string,
  leased: Leased,
  image: PlatformImage,
  depth: number,
  name: string,
  bounds: UnpackBounds,
): Promise<void> {
  const layer = image.layers[depth - 1]!;
  const key = `unpack-${leased.lease} ${name}`;
  const parent = chainId(image.diffIds.slice(0, depth - 1));
  const prepare = () => connection.unary(Snapshots.method.prepare, { snapshotter, key, parent }, leased);
  const { mounts } = await prepare().catch(async (error: unknown) => {
    // What a try that died left of it: nobody else has this key.
    if (!failedWith(error, status.ALREADY_EXISTS)) throw error;
    await connection.unary(Snapshots.method.remove, { snapshotter, key }, leased);
    return prepare();
  });
  try {
    const diff = { mediaType: layer.mediaType, digest: layer.digest, size: BigInt(layer.size) };
    const apply = (bounded: Leased) => connection.unary(Diff.method.apply, { diff, mounts }, bounded);
    const { applied } = await withinBounds(connection, snapshotter, leased, key, layer, bounds, apply);
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

/** Looks at the space while containerd unpacks, and ends it when a small layer turns out to be a large one. HM-IMAGE-LAYER. */
async function withinBounds<Result extends { readonly applied?: { readonly size: bigint } | undefined }>(
  connection: Connection,
  snapshotter: string,
  leased: Leased,
  key: string,
  { digest, size: packed }: Descriptor,
  { clock, maxBytes }: UnpackBounds,
  apply: (bounded: Leased) => Promise<Result>,
): Promise<Result> {
  const bound = Math.max(maxBytes, packed * limits.imageUnpackedRatio);
  const burst = new AbortController();
  let used = 0;
  let timer: unknown;
  const look = async () => {
    const usage = await connection
      .unary(Snapshots.method.usage, { snapshotter, key }, leased)
      .catch(() => undefined);
    used = Number(usage?.size ?? 0n);
    if (burst.signal.aborted) return;
    if (used > bound) burst.abort();
    else timer = clock.setTimer(limits.imageUnpackLookMs, () => void look());
  };
  timer = clock.setTimer(limits.imageUnpackLookMs, () => void look());
  const signal = leased.signal ? AbortSignal.any([leased.signal, burst.signal]) : burst.signal;
  const tooLarge = () => {
    const message = `The layer ${digest} of ${packed} bytes unpacks to more than ${bound} bytes.`;
    return coded('HM-IMAGE-LAYER', message, { digest, limitBytes: bound });
  };
  try {
    const answer = await apply({ ...leased, signal });
    // It was faster than the look.
    if (Number(answer.applied?.size ?? 0n) > bound) throw tooLarge();
    return answer;
  } catch (error) {
    throw burst.signal.aborted ? tooLarge() : error;
  } finally {
    burst.abort();
    clock.clearTimer(timer);
  }
}
