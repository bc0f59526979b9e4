/**
 * The `ImageSource` port on containerd: archives in, names to images, and images ready to make containers from. Imports
 * are checked whole before anything is written and named last, so nothing half done ever has a name.
 */
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { LRUCache } from 'lru-cache';
import { shortImageName } from '../../../../../protocols/containers/image-name.ts';
import type { ImageInfo } from '../../../../../protocols/containers/model.ts';
import { coded, CodedError, type ErrorCode } from '../../../../../protocols/errors.ts';
import { limits } from '../../../../../protocols/limits.ts';
import type { Call, ImageSource } from '../../../../../protocols/ports.ts';
import type { Engine } from '../engine.ts';
import { codedFailure } from '../failure.ts';
import { Images as ImagesService, type Image } from '../gen/services/images_pb.ts';
import { chainId } from '../image-config.ts';
import { RpcFailure } from '../rpc.ts';
import { broken } from './archive.ts';
import { storedDocuments, underLease } from './content.ts';
import { importArchive } from './import.ts';
import { LayoutError, readLayout, sizeOf, type PlatformImage } from './layout.ts';
import { findImage, findImages, putImage, targetOf } from './records.ts';
import { hasSnapshot, unpack } from './unpack.ts';

export type ImagesEngine = Pick<Engine, 'connection' | 'clock' | 'callLimits' | 'facts'>;

interface Images extends ImagesEngine {
  /** By digest and platform: what a digest stands for never changes. */
  readonly known: LRUCache<string, PlatformImage>;
  readonly oneAtATime: Queue;
}

/** Opens nothing of its own: it works over the engine's connection. */
export function createContainerdImages(engine: ImagesEngine): ImageSource {
  const images: Images = { ...engine, known: new LRUCache({ max: 256 }), oneAtATime: createQueue() };
  return {
    list: (_args, call) => guarded('HM-INTERNAL', {}, call, () => list(images, call)),
    ensure: ({ image }, call) =>
      guarded('HM-IMAGE-MISSING', { image }, call, () => ensure(images, image, call)),
    import: ({ path, name }, call) =>
      guarded('HM-IMAGE-ARCHIVE', { path }, call, () =>
        images.oneAtATime(() =>
          importImages(images, { path, ...(name === undefined ? {} : { name }) }, call),
        ),
      ),
    remove: ({ image }, call) => guarded('HM-INTERNAL', { image }, call, () => remove(images, image, call)),
  };
}

async function list(engine: Images, call: Call): Promise<{ images: readonly ImageInfo[] }> {
  const { images } = await engine.connection.unary(ImagesService.method.list, {}, engine.callLimits(call));
  const byName = new Map<string, ImageInfo>();
  for (const image of images) {
    const info = infoOf(image, await platformImageOf(engine, image, call).catch(ignoreIncomplete));
    if (image.name === info.name || !byName.has(info.name)) byName.set(info.name, info);
  }
  return { images: [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

async function ensure(engine: Images, reference: string, call: Call): Promise<ImageInfo> {
  const { connection } = engine;
  const name = nameOf(reference);
  const image = await findImage(connection, engine.callLimits(call), name);
  if (!image) throw coded('HM-IMAGE-MISSING', `The image ${name} is not on the node.`, { image: name });
  const { platform, snapshotter } = await engine.facts(call);
  const content = await platformImageOf(engine, image, call);
  if (content.platform !== platform) {
    const message = `The image ${name} is for ${content.platform}, the node is ${platform}.`;
    throw coded('HM-IMAGE-PLATFORM', message, { image: name, platform, found: content.platform });
  }
  const top = chainId(content.diffIds);
  if (!(await hasSnapshot(connection, snapshotter, engine.callLimits(call), top))) {
    // Imported by another client, or for another snapshotter.
    await engine.oneAtATime(() =>
      underLease(connection, importLimits(call), engine.clock.now(), (leased) =>
        unpack(connection, snapshotter, leased, content),
      ),
    );
  }
  if (image.name !== name) await putImage(connection, engine.callLimits(call), name, targetOf(image));
  return infoOf(image, content);
}

async function importImages(
  engine: Images,
  request: { readonly path: string; readonly name?: string },
  call: Call,
): Promise<{ images: readonly ImageInfo[] }> {
  const names = await importArchive({
    connection: engine.connection,
    facts: await engine.facts(call),
    limits: importLimits(call),
    nowMs: engine.clock.now(),
    ...request,
  });
  const { images } = await list(engine, call);
  return { images: images.filter(({ name }) => names.includes(name)) };
}

async function remove(engine: Images, reference: string, call: Call): Promise<Record<string, never>> {
  const name = nameOf(reference);
  const found = await findImages(engine.connection, engine.callLimits(call), name);
  if (found.length === 0)
    throw coded('HM-IMAGE-UNKNOWN', `No image ${name} is on the node.`, { image: name });
  for (const image of found) {
    // `sync`: the space is free when this answers.
    const wish = { name: image.name, sync: true };
    await engine.connection.unary(ImagesService.method.delete, wish, importLimits(call));
  }
  return {};
}

function nameOf(reference: string): string {
  const name = shortImageName(reference);
  if (name === undefined)
    throw coded('HM-IMAGE-NAME', `"${reference}" is not an image name.`, { image: reference });
  return name;
}

/** The image's best fit for this node. LayoutError when parts of it are gone. */
async function platformImageOf(engine: Images, image: Image, call: Call): Promise<PlatformImage> {
  const { platform } = await engine.facts(call);
  const target = targetOf(image);
  const key = `${target.digest} ${platform}`;
  const known = engine.known.get(key);
  if (known) return known;
  const documents = storedDocuments(engine.connection, engine.callLimits(call));
  const read = (await readLayout([target], documents, platform)).platforms[0]!;
  engine.known.set(key, read);
  return read;
}

function ignoreIncomplete(error: unknown): undefined {
  if (!(error instanceof LayoutError)) throw error;
}

/** An image whose parts are gone is still listed, so that it can be removed. */
function infoOf(image: Image, content: PlatformImage | undefined): ImageInfo {
  return {
    name: shortImageName(image.name) ?? image.name,
    digest: targetOf(image).digest,
    platform: content?.platform ?? 'unknown',
    sizeBytes: content ? sizeOf(content) : 0,
    createdAt: image.createdAt ? timestampMs(image.createdAt) : 0,
  };
}

function importLimits(call: Call) {
  return { timeoutMs: limits.imageImportMs, signal: call.signal };
}

async function guarded<Result>(
  otherwise: ErrorCode,
  evidence: Readonly<Record<string, string>>,
  call: Call,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (call.signal.aborted) throw coded('HM-RUNTIME-TIMEOUT', 'Nobody waited any longer.', evidence);
    if (error instanceof LayoutError) {
      const name = evidence['image'] ?? '';
      const message = `The image ${name} on the node is not whole: ${error.message}.`;
      throw coded('HM-IMAGE-MISSING', message, evidence, 'hivemind image import ARCHIVE, again');
    }
    const failure = codedFailure(error, evidence, otherwise);
    if (!(error instanceof RpcFailure) || !(failure instanceof CodedError)) throw failure;
    if (failure.reason.code !== 'HM-IMAGE-ARCHIVE') throw failure;
    throw broken(evidence['path'] ?? '', failure.reason.message);
  }
}

type Queue = <Result>(work: () => Promise<Result>) => Promise<Result>;

/** Two imports of the same layers would only wait for each other's locks inside containerd. */
function createQueue(): Queue {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work, work);
    last = next.catch(() => {});
    return next;
  };
}
