/**
 * From an image's name to what a container of it needs: its run configuration and the snapshot its layers were
 * unpacked into (the chain id). Reads containerd's image and content services; imports and unpacks nothing.
 */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { shortImageName } from '../../../../protocols/containers/image-name.ts';
import type { ImageConfig, ImageRunConfig } from '../../../../protocols/containers/oci/types.ts';
import { coded } from '../../../../protocols/errors.ts';
import { isGone } from './failure.ts';
import { Content } from './gen/services/content_pb.ts';
import { Images } from './gen/services/images_pb.ts';
import type { CallLimits, Connection } from './rpc.ts';

/** A manifest or configuration larger than this is not one. */
const documentBytes = 4 * 1024 * 1024;

export interface ImageContent {
  /** GOARCH word. */
  readonly architecture: string;
  readonly config: ImageRunConfig;
  /** Key of the committed snapshot of all layers; empty for an image without layers. */
  readonly chainId: string;
  /** Digest of the manifest for the platform. */
  readonly manifest: string;
}

export interface ResolvedImage extends ImageContent {
  readonly name: string;
  /** Digest that the name points to: a manifest or an index. */
  readonly digest: string;
}

interface Descriptor {
  readonly mediaType?: string;
  readonly digest: string;
  readonly platform?: { readonly os: string; readonly architecture: string };
}

/** Contents never change under a digest: kept by digest and platform. */
export type ImageCache = LRUCache<string, ImageContent>;

export function createImageCache(): ImageCache {
  return new LRUCache<string, ImageContent>({ max: 256 });
}

/** The name its record has; see `shortImageName`. */
export function imageName(reference: string): string {
  return shortImageName(reference) ?? reference;
}

/** HM-IMAGE-MISSING, HM-IMAGE-PLATFORM. `platform` is `linux/amd64`. */
export async function resolveImage(
  connection: Connection,
  reference: string,
  platform: string,
  limits: CallLimits,
  cache: ImageCache,
): Promise<ResolvedImage> {
  const name = imageName(reference);
  try {
    const { image } = await connection.unary(Images.method.get, { name }, limits);
    const digest = image?.target?.digest ?? '';
    const key = `${digest} ${platform}`;
    const content = cache.get(key) ?? (await readImage(connection, name, digest, platform, limits));
    cache.set(key, content);
    return { name, digest, ...content };
  } catch (error) {
    if (isGone(error)) {
      throw coded('HM-IMAGE-MISSING', `The image ${name} is not on the node.`, { image: name });
    }
    throw error;
  }
}

async function readImage(
  connection: Connection,
  name: string,
  digest: string,
  platform: string,
  limits: CallLimits,
): Promise<ImageContent> {
  const read = (of: string) => readJson(connection, of, limits);
  let manifestDigest = digest;
  let document = await read(digest);
  if (Array.isArray(document['manifests'])) {
    const entries = document['manifests'] as readonly Descriptor[];
    const fit = entries.find((entry) => !entry.platform || isPlatform(entry.platform, platform));
    if (!fit) throw wrongPlatform(name, platform, entries.map(platformText).join(', '));
    manifestDigest = fit.digest;
    document = await read(fit.digest);
  }
  const config = (await read((document['config'] as Descriptor).digest)) as unknown as ImageConfig;
  if (!isPlatform(config, platform)) throw wrongPlatform(name, platform, platformText({ platform: config }));
  return {
    architecture: config.architecture,
    config: config.config ?? {},
    chainId: chainId(config.rootfs.diff_ids),
    manifest: manifestDigest,
  };
}

/** The OCI image specification's ChainID of a stack of layers. */
export function chainId(diffIds: readonly string[]): string {
  return diffIds.reduce((below, diffId) => {
    if (below === '') return diffId;
    return `sha256:${createHash('sha256').update(`${below} ${diffId}`).digest('hex')}`;
  }, '');
}

async function readJson(
  connection: Connection,
  digest: string,
  limits: CallLimits,
): Promise<Record<string, unknown>> {
  return JSON.parse((await readBlob(connection, digest, limits)).toString('utf8')) as Record<string, unknown>;
}

/** A small blob, whole. */
export async function readBlob(connection: Connection, digest: string, limits: CallLimits): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const { data } of connection.serverStream(Content.method.read, { digest }, limits)) {
    size += data.length;
    if (size > documentBytes) {
      throw coded('HM-IMAGE-ARCHIVE', `${digest} is too large for a manifest or configuration.`, { digest });
    }
    chunks.push(data);
  }
  return Buffer.concat(chunks);
}

function isPlatform(platform: { os: string; architecture: string }, wanted: string): boolean {
  return `${platform.os}/${platform.architecture}` === wanted;
}

function platformText(entry: { readonly platform?: { os: string; architecture: string } }): string {
  return entry.platform ? `${entry.platform.os}/${entry.platform.architecture}` : 'unknown';
}

function wrongPlatform(image: string, wanted: string, found: string): Error {
  return coded('HM-IMAGE-PLATFORM', `The image ${image} is for ${found}, the node is ${wanted}.`, {
    image,
    platform: wanted,
    found,
  });
}
