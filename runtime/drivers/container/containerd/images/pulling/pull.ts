/**
 * One pull: manifest, configuration and layers of one platform from a registry into containerd. Layers come side by side
 * and are unpacked in their order as they arrive; the name comes last, so nothing half done ever has one.
 */
import { setMaxListeners } from 'node:events';
import {
  choosePlatform,
  parsePlatform,
  platformText,
  type Platform,
} from '../../../../../../protocols/containers/registry/platform.ts';
import {
  readRegistryDocument,
  type Part,
} from '../../../../../../protocols/containers/registry/documents.ts';
import type { RegistryReference } from '../../../../../../protocols/containers/registry/reference.ts';
import { bytesPass } from '../../../../../config/marking.ts';
import { coded, type CodedError, type ErrorCode } from '../../../../../../protocols/errors.ts';
import { limits } from '../../../../../../protocols/limits.ts';
import type { FoundManifest, Repository } from '../../../registry/registry.ts';
import type { Serial } from '../../../serial.ts';
import type { EngineFacts } from '../../engine.ts';
import { keepLabels, labelBlob, storedDocuments } from '../content.ts';
import { abortIngest, ingest, type Ingest } from './ingest.ts';
import { readLayout, type Descriptor, type PlatformImage } from '../layout.ts';
import type { ProgressTrack } from './progress.ts';
import { unpack } from '../unpack.ts';

export interface Pull {
  readonly ingest: Ingest;
  readonly facts: EngineFacts;
  readonly repository: Repository;
  readonly reference: RegistryReference;
  /** Under this platform's manifest; unpacked when it is the node's own. */
  readonly platform: string;
  /** Layers that several pulls share come once. */
  readonly perBlob: Serial;
  readonly track: ProgressTrack;
  readonly unpackedBytes: number;
}

/** Answers what the name is to point to. HM-REGISTRY-…, HM-IMAGE-DIGEST, HM-IMAGE-PLATFORM, HM-IMAGE-LAYER, … */
export async function pullContent(pull: Pull): Promise<Descriptor> {
  const { repository, reference, ingest: into } = pull;
  const root = await repository.manifest(reference.wanted, into.signal);
  const target = descriptorOf(root);
  const { indexes, manifest } = await descend(pull, root);
  const read = readRegistryDocument(manifest.bytes);
  if (read.kind !== 'manifest') throw refused(pull, 'HM-REGISTRY-ANSWER', 'its manifest is none');
  for (const document of [...indexes, manifest]) await keep(pull, document);
  await take(pull, read.config);
  const image = await imageOf(pull, target);
  await assertPlatform(pull, image);
  pull.track.begin(root.digest, image.layers);
  await labelBlob(
    into.connection,
    labelling(into),
    manifest.digest,
    keepLabels('manifest', [read.config, ...read.layers]),
  );
  for (const [depth, index] of indexes.entries()) {
    const child = (indexes[depth + 1] ?? manifest).digest;
    // By the child: another platform of the same index keeps its own.
    const labels = { [`containerd.io/gc.ref.content.m.${child.slice(7, 23)}`]: child };
    await labelBlob(into.connection, labelling(into), index.digest, labels);
  }
  const passed = bytesPass();
  try {
    await takeLayers(pull, image);
  } finally {
    passed();
  }
  return target;
}

const labelling = ({ lease, signal }: Ingest) => ({ lease, signal, timeoutMs: limits.imageImportMs });

/** From what the name points to down to the manifest of the platform. */
async function descend(
  pull: Pull,
  root: FoundManifest,
): Promise<{ readonly indexes: readonly FoundManifest[]; readonly manifest: FoundManifest }> {
  const indexes: FoundManifest[] = [];
  for (let present = root; ;) {
    const read = readRegistryDocument(present.bytes);
    if (read.kind === 'refused') throw refused(pull, 'HM-REGISTRY-ANSWER', read.because);
    if (read.kind === 'manifest') return { indexes, manifest: present };
    if (indexes.length === indexDepth)
      throw refused(pull, 'HM-REGISTRY-ANSWER', 'its indexes are nested too deeply');
    indexes.push(present);
    const fit = choosePlatform(read.entries, platformOf(pull));
    if (!fit) {
      const found = read.entries.flatMap(({ platform }) => (platform ? [platformText(platform)] : []));
      throw wrongPlatform(pull, [...new Set(found)].join(', ') || 'no platform');
    }
    present = await pull.repository.manifest(fit.digest, pull.ingest.signal);
  }
}

const indexDepth = 4;

function platformOf({ platform }: Pull): Platform {
  return parsePlatform(platform) ?? { os: 'linux', architecture: platform };
}

async function keep(pull: Pull, { digest, bytes }: FoundManifest): Promise<void> {
  const rest = async function* (offset: number) {
    yield bytes.subarray(offset);
  };
  await pull.perBlob.run(digest, pull.ingest.signal, () =>
    ingest(pull.ingest, { digest, size: bytes.length }, rest),
  );
}

async function take(pull: Pull, part: Part): Promise<void> {
  const { repository, ingest: into, track } = pull;
  try {
    await pull.perBlob.run(part.digest, into.signal, () =>
      ingest(
        into,
        part,
        (offset) => repository.blob(part, offset, into.signal),
        (done) => track.layer(part.digest, 'pulling', done),
      ),
    );
  } catch (thrown) {
    const code = (thrown as Partial<CodedError>).reason?.code;
    if (code === 'HM-IMAGE-DIGEST')
      await abortIngest(into.connection, part.digest, { timeoutMs: limits.runtimeCallMs });
    throw thrown;
  }
  track.layer(part.digest, 'pulled', part.size);
}

async function imageOf({ ingest: into, platform }: Pull, target: Descriptor): Promise<PlatformImage> {
  const documents = storedDocuments(into.connection, labelling(into));
  return (await readLayout([target], documents, platform)).platforms[0]!;
}

async function assertPlatform(pull: Pull, { platform: found }: PlatformImage): Promise<void> {
  const { os, architecture } = platformOf(pull);
  if (found !== `${os}/${architecture}`) throw wrongPlatform(pull, found);
}

/** A few at a time, in their order; each is unpacked when those below it are. */
async function takeLayers(pull: Pull, image: PlatformImage): Promise<void> {
  const { facts, ingest: into, track, unpackedBytes } = pull;
  const stop = new AbortController();
  const signal = AbortSignal.any([into.signal, stop.signal]);
  // Every call of every layer listens to it.
  setMaxListeners(0, signal);
  const bounded: Pull = { ...pull, ingest: { ...into, signal } };
  const layers = [...new Map(image.layers.map((layer) => [layer.digest, layer])).values()];
  const taken = new Map<string, Promise<void>>();
  const running = new Set<Promise<void>>();
  const fill = async (): Promise<void> => {
    for (const layer of layers) {
      if (running.size >= limits.imageParallelLayers) await Promise.race(running);
      signal.throwIfAborted();
      const work = take(bounded, layer).finally(() => running.delete(work));
      running.add(work);
      arrivals.get(layer.digest)!(work);
    }
  };
  const arrivals = new Map<string, (work: Promise<void>) => void>();
  for (const { digest } of layers) {
    const arrival = new Promise<void>((resolve) => arrivals.set(digest, resolve));
    arrival.catch(() => {});
    taken.set(digest, arrival);
  }
  const bounds = { clock: into.clock, maxBytes: unpackedBytes };
  try {
    const unpacking =
      image.platform === facts.platform
        ? unpack(into.connection, facts.snapshotter, labelling({ ...into, signal }), image, bounds, {
            arrived: (layer) => taken.get(layer.digest)!,
            told: (layer, phase) => track.layer(layer.digest, phase, layer.size),
          })
        : Promise.all(taken.values());
    await Promise.all([fill(), unpacking, ...taken.values()]);
  } catch (thrown) {
    stop.abort(thrown);
    await Promise.allSettled(running);
    throw thrown;
  }
}

function descriptorOf({ digest, mediaType, bytes }: FoundManifest): Descriptor {
  return { digest, mediaType, size: bytes.length };
}

function refused({ reference }: Pull, code: ErrorCode, what: string): Error {
  const { registry, repository } = reference;
  const message = `The registry ${registry} gives no usable ${repository}:${reference.wanted}: ${what}.`;
  return coded(code, message, { registry, repository });
}

function wrongPlatform({ reference, platform }: Pull, found: string): Error {
  const image = `${reference.registry}/${reference.repository}`;
  return coded('HM-IMAGE-PLATFORM', `The image ${image} is for ${found}, ${platform} is wanted.`, {
    image,
    platform,
    found,
  });
}
