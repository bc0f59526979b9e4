/** What `docker save` writes, read as if it were an OCI layout: its `manifest.json` becomes manifests and an index. Pure. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { LayoutError } from './layout.ts';

/** A file of the archive. */
export interface ArchiveFile {
  readonly digest: string;
  readonly size: number;
  /** Its first bytes: what it is packed with. */
  readonly head: Uint8Array;
}

const saved = z
  .array(
    z.object({
      Config: z.string().max(1_024),
      RepoTags: z.array(z.string().max(255)).nullish(),
      Layers: z.array(z.string().max(1_024)),
    }),
  )
  .max(256);

export interface DockerLayout {
  readonly index: unknown;
  /** Documents that the archive itself does not hold, by digest. */
  readonly made: ReadonlyMap<string, Buffer>;
}

/** LayoutError when it is not well formed, or names what is not there. */
export function readDockerArchive(document: unknown, files: ReadonlyMap<string, ArchiveFile>): DockerLayout {
  const read = saved.safeParse(document);
  if (!read.success) throw new LayoutError('manifest.json is not as docker save writes it');
  const made = new Map<string, Buffer>();
  const manifests = read.data.flatMap(({ Config, RepoTags, Layers }) => {
    const config = part(Config, files, 'application/vnd.oci.image.config.v1+json');
    const layers = Layers.map((name) => part(name, files));
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers }));
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    made.set(digest, bytes);
    const entry = { mediaType, digest, size: bytes.length };
    if (!RepoTags?.length) return [entry];
    return RepoTags.map((name) => ({ ...entry, annotations: { 'io.containerd.image.name': name } }));
  });
  return { index: { schemaVersion: 2, manifests }, made };
}

function part(name: string, files: ReadonlyMap<string, ArchiveFile>, mediaType?: string) {
  const file = files.get(name);
  if (!file) throw new LayoutError(`the file ${name} is missing`);
  return { mediaType: mediaType ?? layerType(file.head), digest: file.digest, size: file.size };
}

function layerType(head: Uint8Array): string {
  const plain = 'application/vnd.oci.image.layer.v1.tar';
  if (head[0] === 0x1f && head[1] === 0x8b) return `${plain}+gzip`;
  const isZstd = head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd;
  return isZstd ? `${plain}+zstd` : plain;
}
