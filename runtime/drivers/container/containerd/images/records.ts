/** containerd's image records: names to what they point to. Kept under short names; long ones of other clients are found too. */
import { status } from '@grpc/grpc-js';
import { fullImageName } from '../../../../../protocols/containers/image-name.ts';
import { failedWith, isGone } from '../failure.ts';
import { Images, type Image } from '../gen/services/images_pb.ts';
import type { CallLimits, Connection } from '../rpc.ts';
import type { Descriptor } from './layout.ts';

/** When the registry was last asked what the name stands for; ms since 1970. */
const lookedLabel = 'hivemind/looked-at';

export function lookedAt(image: Image): number {
  return Number(image.labels[lookedLabel] ?? 0);
}

/** Makes the name point there, whatever it pointed to before. `lookedAtMs`: a registry says so. */
export async function putImage(
  connection: Connection,
  limits: CallLimits,
  name: string,
  target: Pick<Descriptor, 'mediaType' | 'digest' | 'size'>,
  lookedAtMs?: number,
): Promise<void> {
  const { mediaType, digest, size } = target;
  const labels: Record<string, string> =
    lookedAtMs === undefined ? {} : { [lookedLabel]: String(lookedAtMs) };
  const image = { name, target: { mediaType, digest, size: BigInt(size) }, labels };
  try {
    await connection.unary(Images.method.create, { image }, limits);
  } catch (error) {
    if (!failedWith(error, status.ALREADY_EXISTS)) throw error;
    const updateMask = { paths: ['target', ...(lookedAtMs === undefined ? [] : [`labels.${lookedLabel}`])] };
    await connection.unary(Images.method.update, { image, updateMask }, limits);
  }
}

/** The record of this image, the one under its short name first. */
export async function findImage(
  connection: Connection,
  limits: CallLimits,
  short: string,
): Promise<Image | undefined> {
  return (await getImage(connection, limits, short)) ?? getImage(connection, limits, fullImageName(short));
}

/** Its records: under the short name, the long one, or both. */
export async function findImages(
  connection: Connection,
  limits: CallLimits,
  short: string,
): Promise<Image[]> {
  const names = [...new Set([short, fullImageName(short)])];
  const found = await Promise.all(names.map((name) => getImage(connection, limits, name)));
  return found.filter((image) => image !== undefined);
}

async function getImage(
  connection: Connection,
  limits: CallLimits,
  name: string,
): Promise<Image | undefined> {
  try {
    return (await connection.unary(Images.method.get, { name }, limits)).image;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

export function targetOf(image: Image): Descriptor {
  const { mediaType = '', digest = '', size = 0n } = image.target ?? {};
  return { mediaType, digest, size: Number(size) };
}
