/**
 * What the documents of an OCI image layout say: names, platforms, layers. Pure: documents come from an archive
 * or from the content store, by digest.
 */
import { z } from 'zod';
import { limits } from '../../../../../protocols/limits.ts';

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const platform = z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() });
const descriptor = z.object({
  mediaType: z.string(),
  digest,
  size: z.number().int().nonnegative(),
  platform: platform.optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
const index = z.object({ manifests: z.array(descriptor) });
const manifest = z.object({ config: descriptor, layers: z.array(descriptor) });
const volumes = z
  .record(z.string().max(limits.pathChars), z.unknown())
  .refine((all) => Object.keys(all).length <= limits.imageVolumes, 'too many volumes');
const config = z.object({
  os: z.string(),
  architecture: z.string(),
  rootfs: z.object({ diff_ids: z.array(digest) }),
  config: z.object({ Volumes: volumes.nullish() }).nullish(),
});

/** The format allows any depth; tools make one. */
const indexDepth = 4;

export type Descriptor = z.infer<typeof descriptor>;

/** An image for one platform, with all its parts. */
export interface PlatformImage {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly diffIds: readonly string[];
  /** `linux/amd64` */
  readonly platform: string;
  /** Where its configuration declares volumes. */
  readonly volumes: readonly string[];
  /** The indexes that lead to it, outermost first. */
  readonly indexes: readonly Descriptor[];
}

/** What a name points to. */
export interface LayoutImage {
  readonly target: Descriptor;
  /** Best fit for the wanted platform first; at least one. */
  readonly platforms: readonly PlatformImage[];
}

/** Looks a document up by digest; `undefined`: not there. */
export type Documents = (digest: string) => Promise<unknown>;

/** Thrown with what is wrong with the documents. */
export class LayoutError extends Error {}

/** The images an `index.json` lists, by the name it gives them (`''` for none). */
export function namedDescriptors(document: unknown): Map<string, Descriptor[]> {
  const named = new Map<string, Descriptor[]>();
  for (const entry of parsed(index, document, 'index.json').manifests) {
    const { annotations = {} } = entry;
    const name =
      annotations['io.containerd.image.name'] ?? annotations['org.opencontainers.image.ref.name'] ?? '';
    named.set(name, [...(named.get(name) ?? []), entry]);
  }
  return named;
}

/**
 * The image behind one or more descriptors of the same name, indexes followed. Manifests that are listed but not
 * there are passed over, as archives often hold one platform of many; LayoutError when none is left.
 */
export async function readLayout(
  entries: readonly Descriptor[],
  documents: Documents,
  wanted: string,
): Promise<LayoutImage> {
  const images: { image: PlatformImage; root: Descriptor }[] = [];
  for (const root of entries) {
    for (const image of await platformsOf(root, documents, [])) images.push({ image, root });
  }
  const fit = images.find(({ image }) => image.platform === wanted) ?? images[0];
  if (!fit) throw new LayoutError('no manifest that its index names is in it');
  return {
    target: fit.root,
    platforms: [fit, ...images.filter((other) => other !== fit && other.root === fit.root)].map(
      ({ image }) => image,
    ),
  };
}

async function platformsOf(
  entry: Descriptor,
  documents: Documents,
  indexes: readonly Descriptor[],
): Promise<PlatformImage[]> {
  const document = await documents(entry.digest);
  if (document === undefined) return [];
  if (isIndex(document)) {
    if (indexes.length === indexDepth) throw new LayoutError('its indexes are nested too deeply');
    const inner: PlatformImage[] = [];
    for (const child of parsed(index, document, entry.digest).manifests) {
      // Attestations and signatures ride along as manifests of no platform.
      if (child.platform?.os === 'unknown') continue;
      inner.push(...(await platformsOf(child, documents, [...indexes, entry])));
    }
    return inner;
  }
  const read = parsed(manifest, document, entry.digest);
  const settings = await documents(read.config.digest);
  if (settings === undefined) throw new LayoutError(`the configuration ${read.config.digest} is missing`);
  const { os, architecture, rootfs, config: run } = parsed(config, settings, read.config.digest);
  if (rootfs.diff_ids.length !== read.layers.length)
    throw new LayoutError(
      `${entry.digest} has ${read.layers.length} layers and ${rootfs.diff_ids.length} diff ids`,
    );
  const fit = { platform: `${os}/${architecture}`, volumes: Object.keys(run?.Volumes ?? {}) };
  return [{ ...read, manifest: entry, diffIds: rootfs.diff_ids, ...fit, indexes }];
}

/** The children of an index, as far as they are known. */
export function childrenOf(document: unknown): readonly Descriptor[] {
  return isIndex(document) ? parsed(index, document, 'an index').manifests : [];
}

function isIndex(document: unknown): boolean {
  return typeof document === 'object' && document !== null && 'manifests' in document;
}

export function sizeOf(image: PlatformImage): number {
  return [image.manifest, image.config, ...image.layers].reduce((sum, { size }) => sum + size, 0);
}

function parsed<Schema extends z.ZodType>(schema: Schema, document: unknown, name: string): z.infer<Schema> {
  const result = schema.safeParse(document);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new LayoutError(
    `${name} is not as the OCI image format has it: ${issue?.path.join('.')}: ${issue?.message}`,
  );
}
