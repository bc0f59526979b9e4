/**
 * What a registry answers when it is asked for an image: manifests and indexes of OCI and Docker, held against the
 * bounds. Pure.
 */
import { z } from 'zod';
import { limits } from '../../limits.ts';

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const platform = z.object({
  os: z.string().max(64),
  architecture: z.string().max(64),
  variant: z.string().max(64).optional(),
});
const part = z.object({
  mediaType: z.string().max(255),
  digest,
  size: z.number().int().nonnegative().max(limits.imageArchiveBytes),
});
const index = z.object({
  manifests: z.array(part.extend({ platform: platform.optional() })).max(limits.imageIndexEntries),
});
const manifest = z.object({ config: part, layers: z.array(part).max(limits.imageLayers) });

export type Part = z.infer<typeof part>;

export type RegistryDocument =
  | { readonly kind: 'index'; readonly entries: z.infer<typeof index>['manifests'] }
  | { readonly kind: 'manifest'; readonly config: Part; readonly layers: readonly Part[] }
  | { readonly kind: 'refused'; readonly because: string };

/** In the order in which an image is best described. */
export const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
] as const;

const layerType = new RegExp(
  '^application/vnd\\.(?:oci\\.image\\.layer(?:\\.nondistributable)?\\.v1\\.tar(?:\\+(?:gzip|zstd))?|' +
    'docker\\.image\\.rootfs\\.diff\\.tar(?:\\.(?:gzip|zstd))?|docker\\.image\\.rootfs\\.foreign\\.diff\\.tar\\.gzip)$',
);

export function readRegistryDocument(bytes: Uint8Array): RegistryDocument {
  const value = parse(bytes);
  if (value === undefined) return refused('its manifest is not JSON');
  if (typeof value !== 'object' || value === null) return refused('its manifest is no object');
  if ('fsLayers' in value) return refused('its manifest is of the old form, schema 1');
  if ('manifests' in value) {
    const read = index.safeParse(value);
    if (!read.success) return refused(`its index is not well formed${where(read.error)}`);
    return { kind: 'index', entries: read.data.manifests };
  }
  const read = manifest.safeParse(value);
  if (!read.success) return refused(`its manifest is not well formed${where(read.error)}`);
  const { config, layers } = read.data;
  if (config.size > limits.imageDocumentBytes) return refused('its configuration is too large');
  const odd = layers.find(({ mediaType }) => !layerType.test(mediaType));
  if (odd) return refused(`a layer is of a kind that cannot be unpacked: ${odd.mediaType}`);
  const total = layers.reduce((sum, { size }) => sum + size, 0);
  if (total > limits.imageArchiveBytes) return refused(`it has more than ${limits.imageArchiveBytes} bytes`);
  return { kind: 'manifest', config, layers };
}

const refused = (because: string): RegistryDocument => ({ kind: 'refused', because });

function where(error: z.ZodError): string {
  const issue = error.issues[0];
  return issue ? `: ${issue.path.join('.')}: ${issue.message}` : '';
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch {
    return undefined;
  }
}

/** The type to keep the document under: what it says itself, else what it was sent as, else what it looks like. */
export function mediaTypeOf(bytes: Uint8Array, sent: string | undefined): string {
  const said = (parse(bytes) as { mediaType?: unknown } | undefined)?.mediaType;
  const known = [said, sent?.split(';')[0]?.trim()].find(
    (type): type is (typeof manifestTypes)[number] =>
      typeof type === 'string' && (manifestTypes as readonly string[]).includes(type),
  );
  if (known !== undefined) return known;
  return readRegistryDocument(bytes).kind === 'index' ? manifestTypes[0] : manifestTypes[2];
}
