/**
 * The `ImageSource` port on containerd: archives in, names to images, and images ready to make containers from. Imports
 * are checked whole before anything is written and named last, so nothing half done ever has a name.
 */
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { LRUCache } from 'lru-cache';
import { shortImageName } from '../../../../../protocols/containers/image-name.ts';
import type { ImageInfo } from '../../../../../protocols/containers/model.ts';
import {
  pinnedImageName,
  pinOf,
  repositoryOf,
} from '../../../../../protocols/containers/registry/reference.ts';
import { coded, CodedError, type ErrorCode } from '../../../../../protocols/errors.ts';
import { limits } from '../../../../../protocols/limits.ts';
import type { Call, ImageSource } from '../../../../../protocols/ports.ts';
import type { RegistryClient } from '../../registry/registry.ts';
import type { Engine } from '../engine.ts';
import { codedFailure, isGone } from '../failure.ts';
import { Images as ImagesService, type Image } from '../gen/services/images_pb.ts';
import { RpcFailure } from '../rpc.ts';
import { storedDocuments } from './content.ts';
import { showImage } from '../image-details.ts';
import { ensure, resolve } from './ensure.ts';
import { exportImage } from './export.ts';
import { importArchive } from './import.ts';
import { LayoutError, readLayout, sizeOf, type PlatformImage } from './layout.ts';
import { Pulls } from './pulling/pulls.ts';
import { findImages, targetOf } from './records.ts';
import type { UnpackBounds } from './unpack.ts';
import { broken } from './walk.ts';

export type ImagesEngine = Pick<Engine, 'connection' | 'clock' | 'callLimits' | 'facts'>;

export interface Images extends ImagesEngine {
  /** By digest and platform: what a digest stands for never changes. */
  readonly known: LRUCache<string, PlatformImage>;
  readonly oneAtATime: Queue;
  readonly bounds: UnpackBounds;
  /** Absent: images come by import alone. */
  readonly pulls?: Pulls;
}

export interface ImageOptions {
  readonly registry?: RegistryClient;
  /** What a layer, or a packed archive, may unpack to in any case. Default in `protocols/limits.ts`. */
  readonly unpackedBytes?: number;
}

/** Opens nothing of its own: it works over the engine's connection. */
export function createContainerdImages(engine: ImagesEngine, options: ImageOptions = {}): ImageSource {
  const { registry, unpackedBytes: maxBytes = limits.imageUnpackedBytes } = options;
  const pulls = registry ? new Pulls({ ...engine, registry, unpackedBytes: maxBytes }) : undefined;
  const images: Images = {
    ...engine,
    known: new LRUCache({ max: 256 }),
    oneAtATime: createQueue(),
    bounds: { clock: engine.clock, maxBytes },
    ...(pulls ? { pulls } : {}),
  };
  return {
    list: (_args, call) => guarded('HM-INTERNAL', {}, call, () => list(images, call)),
    ensure: (wish, call) =>
      guarded('HM-IMAGE-MISSING', { image: wish.image }, call, () => ensure(images, wish, call)),
    resolve: (wish, call) =>
      guarded('HM-IMAGE-MISSING', { image: wish.image }, call, () => resolve(images, wish, call)),
    pulls: () => Promise.resolve({ pulls: pulls?.underWay ?? [] }),
    onPull: (notify) => pulls?.watch(notify) ?? (() => {}),
    show: ({ image }, call) =>
      guarded('HM-IMAGE-MISSING', { image }, call, () => showImage(images, image, call)),
    import: ({ path, name }, call) =>
      guarded('HM-IMAGE-ARCHIVE', { path }, call, () =>
        images.oneAtATime(() =>
          importImages(images, { path, ...(name === undefined ? {} : { name }) }, call),
        ),
      ),
    export: (wish, call) =>
      guarded('HM-IMAGE-MISSING', { image: wish.image }, call, () => exported(images, wish, call)),
    remove: ({ image }, call) => guarded('HM-INTERNAL', { image }, call, () => remove(images, image, call)),
  };
}

/** Pins of what a tag stands for are not shown beside it; those of what none stands for any more are. */
async function list(engine: Images, call: Call): Promise<{ images: readonly ImageInfo[] }> {
  const { images } = await engine.connection.unary(ImagesService.method.list, {}, engine.callLimits(call));
  const byName = new Map<string, ImageInfo>();
  for (const image of images) {
    const info = infoOf(image, await platformImageOf(engine, image, call).catch(ignoreIncomplete));
    if (image.name === info.name || !byName.has(info.name)) byName.set(info.name, info);
  }
  const all = [...byName.values()];
  const tagged = new Set(
    all.flatMap(({ name, digest }) => (pinOf(name) === undefined ? [pinnedImageName(name, digest)] : [])),
  );
  const shown = all.filter(({ name }) => !tagged.has(name));
  return { images: shown.sort((a, b) => (a.name < b.name ? -1 : 1)) };
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
    bounds: engine.bounds,
    nowMs: engine.clock.now(),
    ...request,
  });
  const { images } = await list(engine, call);
  return { images: images.filter(({ name }) => names.includes(name)) };
}

async function exported(
  engine: Images,
  wish: Parameters<ImageSource['export']>[0],
  call: Call,
): Promise<Record<string, never>> {
  const name = nameOf(wish.image);
  const [record] = await findImages(engine.connection, engine.callLimits(call), name);
  if (!record) throw coded('HM-IMAGE-UNKNOWN', `No image ${name} is on the node.`, { image: name });
  const image = await platformImageOf(engine, record, call, wish.platform);
  if (wish.platform !== undefined && image.platform !== wish.platform) {
    const message = `The image ${name} is for ${image.platform}, ${wish.platform} is wanted.`;
    throw coded('HM-IMAGE-PLATFORM', message, { image: name, found: image.platform });
  }
  const { format, path } = wish;
  const { connection } = engine;
  await exportImage({ connection, callLimits: importLimits(call), name, image, format, path });
  return {};
}

async function remove(engine: Images, reference: string, call: Call): Promise<Record<string, never>> {
  const { connection } = engine;
  const name = nameOf(reference);
  const found = await findImages(connection, engine.callLimits(call), name);
  if (found.length === 0)
    throw coded('HM-IMAGE-UNKNOWN', `No image ${name} is on the node.`, { image: name });
  const pins = await lonePins(engine, name, new Set(found.map((image) => targetOf(image).digest)), call);
  for (const gone of [...found.map((image) => image.name), ...pins]) {
    // `sync`: the space is free when this answers.
    await connection
      .unary(ImagesService.method.delete, { name: gone, sync: true }, importLimits(call))
      .catch((error: unknown) => {
        if (!isGone(error)) throw error;
      });
  }
  return {};
}

/** Pins of this repository to what goes, unless another of its tags stands for it. */
async function lonePins(
  engine: Images,
  name: string,
  digests: ReadonlySet<string>,
  call: Call,
): Promise<readonly string[]> {
  const repository = repositoryOf(name);
  const { images } = await engine.connection.unary(ImagesService.method.list, {}, engine.callLimits(call));
  const own = images.filter((image) => repositoryOf(shortImageName(image.name) ?? '') === repository);
  const others = own.filter(
    (image) => pinOf(image.name) === undefined && shortImageName(image.name) !== name,
  );
  const held = new Set(others.map((image) => targetOf(image).digest));
  return own
    .filter((image) => pinOf(image.name) !== undefined && shortImageName(image.name) !== name)
    .filter((image) => digests.has(targetOf(image).digest) && !held.has(targetOf(image).digest))
    .map((image) => image.name);
}

export function nameOf(reference: string): string {
  const name = shortImageName(reference);
  if (name === undefined)
    throw coded('HM-IMAGE-NAME', `"${reference}" is not an image name.`, { image: reference });
  return name;
}

/** The image's best fit for this node (or another platform). LayoutError when parts of it are gone. */
export async function platformImageOf(
  engine: Images,
  image: Image,
  call: Call,
  wanted?: string,
): Promise<PlatformImage> {
  const platform = wanted ?? (await engine.facts(call)).platform;
  const target = targetOf(image);
  const key = `${target.digest} ${platform}`;
  const known = engine.known.get(key);
  if (known) return known;
  const documents = storedDocuments(engine.connection, engine.callLimits(call));
  const read = (await readLayout([target], documents, platform)).platforms[0]!;
  // Another platform of the same index may come later.
  if (read.platform === platform) engine.known.set(key, read);
  return read;
}

export function ignoreIncomplete(error: unknown): undefined {
  if (!(error instanceof LayoutError)) throw error;
}

/** An image whose parts are gone is still listed, so that it can be removed. */
export function infoOf(image: Image, content: PlatformImage | undefined): ImageInfo {
  return {
    name: shortImageName(image.name) ?? image.name,
    digest: targetOf(image).digest,
    platform: content?.platform ?? 'unknown',
    sizeBytes: content ? sizeOf(content) : 0,
    createdAt: image.createdAt ? timestampMs(image.createdAt) : 0,
    ...(content && content.volumes.length > 0 ? { volumes: content.volumes } : {}),
  };
}

export function importLimits(call: Call) {
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
