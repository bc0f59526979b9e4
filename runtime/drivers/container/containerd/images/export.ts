/** An image out of containerd into a file: an OCI layout, or what `docker load` reads. One platform, every blob as it is. */
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { pack, type Pack } from 'tar-stream';
import type { CallLimits, Connection } from '../rpc.ts';
import { Content } from '../gen/services/content_pb.ts';
import type { Descriptor, PlatformImage } from './layout.ts';

export interface Export {
  readonly connection: Connection;
  readonly callLimits: CallLimits;
  readonly name: string;
  readonly image: PlatformImage;
  readonly format: 'oci' | 'docker';
  readonly path: string;
}

/** The file is whole afterwards, or not there. */
export async function exportImage(request: Export): Promise<void> {
  const tar = pack();
  const signal = request.callLimits.signal;
  const writing = pipeline(
    tar as unknown as NodeJS.ReadableStream,
    createWriteStream(request.path, { mode: 0o600, flags: 'wx' }),
    ...(signal ? [{ signal }] : []),
  );
  writing.catch(() => {});
  try {
    await (request.format === 'oci' ? packOci(tar, request) : packDocker(tar, request));
    tar.finalize();
    await writing;
  } catch (thrown) {
    tar.destroy();
    await writing.catch(() => {});
    await rm(request.path, { force: true });
    throw thrown;
  }
}

async function packOci(tar: Pack, request: Export): Promise<void> {
  const { manifest, config, layers } = request.image;
  document(tar, 'oci-layout', { imageLayoutVersion: '1.0.0' });
  for (const part of distinct([manifest, config, ...layers]))
    await blob(tar, request, part, `blobs/${part.digest.replace(':', '/')}`);
  const tag = request.name.slice(request.name.lastIndexOf(':') + 1);
  const annotations = {
    'io.containerd.image.name': request.name,
    'org.opencontainers.image.ref.name': tag,
  };
  const { mediaType, digest, size } = manifest;
  const manifests = [{ mediaType, digest, size, annotations }];
  document(tar, 'index.json', { schemaVersion: 2, manifests });
}

async function packDocker(tar: Pack, request: Export): Promise<void> {
  const { config, layers } = request.image;
  const configName = `${config.digest.slice(7)}.json`;
  await blob(tar, request, config, configName);
  for (const layer of distinct(layers)) await blob(tar, request, layer, layerName(layer));
  const RepoTags = request.name.includes('@') ? [] : [request.name];
  document(tar, 'manifest.json', [{ Config: configName, RepoTags, Layers: layers.map(layerName) }]);
}

const layerName = ({ digest }: Descriptor): string => `${digest.slice(7)}.tar`;
const distinct = (parts: readonly Descriptor[]): readonly Descriptor[] => [
  ...new Map(parts.map((part) => [part.digest, part])).values(),
];

function document(tar: Pack, name: string, value: unknown): void {
  tar.entry({ name, mtime: new Date(0) }, JSON.stringify(value));
}

async function blob(tar: Pack, request: Export, { digest, size }: Descriptor, name: string): Promise<void> {
  const { connection, callLimits } = request;
  const entry = tar.entry({ name, size, mtime: new Date(0) });
  const pieces = async function* () {
    for await (const { data } of connection.serverStream(Content.method.read, { digest }, callLimits))
      yield data;
  };
  await pipeline(pieces, entry as unknown as NodeJS.WritableStream);
}
