/** One import: an archive's images into containerd. Everything is checked first and written under a lease; names come last. */
import { coded } from '../../../../../protocols/errors.ts';
import { shortImageName } from '../../../../../protocols/containers/image-name.ts';
import type { EngineFacts } from '../engine.ts';
import type { CallLimits, Connection } from '../rpc.ts';
import { checkArchive, readBlobs, type ArchiveBlob, type ArchiveContents } from './archive.ts';
import { keepLabels, labelBlob, underLease, writeBlob } from './content.ts';
import {
  childrenOf,
  LayoutError,
  namedDescriptors,
  readLayout,
  type Descriptor,
  type LayoutImage,
  type PlatformImage,
} from './layout.ts';
import { putImage } from './records.ts';
import { unpack, type UnpackBounds } from './unpack.ts';
import { broken } from './walk.ts';

export interface Import {
  readonly connection: Connection;
  readonly facts: EngineFacts;
  readonly limits: CallLimits & { readonly signal: AbortSignal };
  readonly bounds: UnpackBounds;
  /** For the end of the lease; ms since 1970. */
  readonly nowMs: number;
  readonly path: string;
  /** Instead of the names in the archive. */
  readonly name?: string;
}

/** Answers the names under which images are there now. HM-IMAGE-ARCHIVE, HM-IMAGE-NAME, HM-DISK-FULL, … */
export async function importArchive(request: Import): Promise<readonly string[]> {
  const contents = await checkArchive(request.path, request.limits.signal, request.bounds.maxBytes);
  try {
    const images = await imagesOf(request, contents);
    await write(request, contents, images);
    return [...images.keys()];
  } catch (error) {
    if (error instanceof LayoutError) throw broken(request.path, error.message);
    throw error;
  }
}

/** Short name to image, with every part that will be written known to be in the archive. */
async function imagesOf(request: Import, contents: ArchiveContents): Promise<Map<string, LayoutImage>> {
  const documents = async (digest: string): Promise<unknown> => contents.documents.get(digest);
  const images = new Map<string, LayoutImage>();
  for (const [name, entries] of namesOf(request, namedDescriptors(contents.index))) {
    const layout = await readLayout(entries, documents, request.facts.platform);
    const [fit, ...others] = layout.platforms;
    for (const { digest } of partsOf(fit!))
      if (!contents.blobs.has(digest)) throw new LayoutError(`the blob ${digest} is missing`);
    // Of other platforms an archive may hold the manifest alone.
    const whole = others.filter((other) => partsOf(other).every(({ digest }) => contents.blobs.has(digest)));
    images.set(name, { target: layout.target, platforms: [fit!, ...whole] });
  }
  if (images.size === 0) throw new LayoutError('index.json lists no image');
  return images;
}

function namesOf(request: Import, found: Map<string, Descriptor[]>): [string, Descriptor[]][] {
  const { path, name } = request;
  if (name !== undefined && found.size > 1) {
    const message = `${path} holds ${found.size} images (${[...found.keys()].join(', ')}): one name does not fit them.`;
    throw coded('HM-IMAGE-NAME', message, { path, name }, 'Import it without a name.');
  }
  return [...found].map(([own, entries]) => {
    const short = shortImageName(name ?? own);
    if (short !== undefined) return [short, entries];
    if (name === undefined && own === '') {
      const hint = `hivemind image import ${path} --name NAME:TAG`;
      throw coded('HM-IMAGE-NAME', `${path} does not say the name of its image.`, { path }, hint);
    }
    throw coded('HM-IMAGE-NAME', `"${name ?? own}" is not an image name.`, { path, name: name ?? own });
  });
}

function partsOf(image: PlatformImage): readonly Descriptor[] {
  return [...image.indexes, image.manifest, image.config, ...image.layers];
}

async function write(
  { connection, facts, limits, bounds, nowMs, path }: Import,
  contents: ArchiveContents,
  images: ReadonlyMap<string, LayoutImage>,
): Promise<void> {
  const every = [...images.values()].flatMap(({ platforms }) => platforms);
  const wanted = new Set(every.flatMap(partsOf).map(({ digest }) => digest));
  await underLease(connection, limits, nowMs, async (leased) => {
    const there = new Set([...wanted].filter((digest) => !contents.made.has(digest)));
    const take = (blob: ArchiveBlob) => writeBlob(connection, leased, blob);
    await readBlobs(path, there, limits.signal, take, contents.names);
    for (const [digest, bytes] of contents.made)
      await take({ digest, size: bytes.length, body: once(bytes) });
    for (const image of every) {
      const { manifest, config, layers, indexes } = image;
      await labelBlob(connection, leased, manifest.digest, keepLabels('manifest', [config, ...layers]));
      for (const { digest } of indexes) {
        const children = childrenOf(contents.documents.get(digest)).filter((child) =>
          wanted.has(child.digest),
        );
        await labelBlob(connection, leased, digest, keepLabels('index', children));
      }
      if (image.platform === facts.platform)
        await unpack(connection, facts.snapshotter, leased, image, bounds);
    }
    for (const [name, { target }] of images) await putImage(connection, leased, name, target);
  });
}

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}
