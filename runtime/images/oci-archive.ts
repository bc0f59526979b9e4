/**
 * Writes an OCI image archive: an image layout in one tar file, as `skopeo copy oci-archive:` would. Equal input
 * gives equal bytes, so an image's digest says whether anything changed. For the small images Hivemind builds by
 * itself: layers are made in memory. Reading archives is the image driver's work.
 */
import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { pack, type Header } from 'tar-stream';
import type { ImageConfig, ImageRunConfig } from '../../protocols/containers/oci/types.ts';

/** One path of a layer, relative to the image's root. Parents come before what is in them. */
export type LayerEntry = { readonly path: string; readonly uid?: number; readonly gid?: number } & (
  | { readonly type: 'directory'; readonly mode?: number }
  | { readonly type: 'file'; readonly mode?: number; readonly content: Uint8Array | string }
  | { readonly type: 'symlink' | 'link'; readonly target: string }
);

export interface ArchiveImage {
  /** The reference kept in the archive: `hello-web:latest`. */
  readonly name: string;
  readonly layers: readonly (readonly LayerEntry[])[];
  /** GOARCH words: `amd64`, `arm64`. */
  readonly architecture: string;
  readonly config: ImageRunConfig;
}

const media = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** Writes the archive whole or not at all, and answers the digest of its manifest. */
export async function writeOciArchive(
  path: string,
  image: ArchiveImage,
): Promise<{ readonly digest: string }> {
  const blobs = new Map<string, Uint8Array>();
  const keep = (mediaType: string, bytes: Uint8Array): Descriptor => {
    const digest = sha256(bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const keepJson = (mediaType: string, value: unknown): Descriptor =>
    keep(mediaType, Buffer.from(JSON.stringify(value)));

  const diffIds: string[] = [];
  const layers: Descriptor[] = [];
  for (const entries of image.layers) {
    const tar = await tarOf(entries.map(tarEntry));
    diffIds.push(sha256(tar));
    layers.push(keep(media.layer, gzipSync(tar, { level: 9 })));
  }
  const config: ImageConfig = {
    architecture: image.architecture,
    os: 'linux',
    created: '1970-01-01T00:00:00Z',
    config: image.config,
    rootfs: { type: 'layers', diff_ids: diffIds },
  };
  const manifest = keepJson(media.manifest, {
    schemaVersion: 2,
    mediaType: media.manifest,
    config: keepJson(media.config, config),
    layers,
  });
  const index = {
    schemaVersion: 2,
    mediaType: media.index,
    manifests: [
      {
        ...manifest,
        platform: { architecture: image.architecture, os: 'linux' },
        annotations: { 'org.opencontainers.image.ref.name': image.name },
      },
    ],
  };
  const archive = await tarOf([
    file('oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' })),
    file('index.json', JSON.stringify(index)),
    directory('blobs/'),
    directory('blobs/sha256/'),
    ...[...blobs].map(([digest, bytes]) => file(`blobs/sha256/${digest.slice('sha256:'.length)}`, bytes)),
  ]);
  await writeWhole(path, archive);
  return { digest: manifest.digest };
}

type TarEntry = readonly [Partial<Header> & { name: string }, Uint8Array?];

const file = (name: string, content: Uint8Array | string): TarEntry => [
  { name, type: 'file', mode: 0o644 },
  Buffer.from(content),
];
const directory = (name: string): TarEntry => [{ name, type: 'directory', mode: 0o755 }];

function tarEntry(entry: LayerEntry): TarEntry {
  const owner = { name: entry.path, uid: entry.uid ?? 0, gid: entry.gid ?? 0 };
  switch (entry.type) {
    case 'directory':
      return [{ ...owner, name: `${entry.path}/`, type: 'directory', mode: entry.mode ?? 0o755 }];
    case 'file':
      return [{ ...owner, type: 'file', mode: entry.mode ?? 0o644 }, Buffer.from(entry.content)];
    case 'symlink':
    case 'link':
      return [{ ...owner, type: entry.type, mode: 0o777, linkname: entry.target }];
  }
}

async function tarOf(entries: readonly TarEntry[]): Promise<Uint8Array> {
  const tar = pack();
  // The packer queues entries and takes them one after the other.
  for (const [header, content] of entries) {
    const dated = { ...header, mtime: new Date(0) };
    if (content) tar.entry(dated, content);
    else tar.entry(dated);
  }
  tar.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of tar as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const partial = `${path}.partial`;
  try {
    const handle = await open(partial, 'w');
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
