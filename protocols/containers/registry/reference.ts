/** From an image's name to where it is found: host and repository of a registry, tag or digest. Pure. */
import { fullImageName } from '../image-name.ts';

export interface RegistryReference {
  /** As settings and credentials name it: `docker.io`, `localhost:5000`. */
  readonly registry: string;
  /** `library/redis` */
  readonly repository: string;
  /** What the registry is asked for: the digest when the name has one, else the tag. */
  readonly wanted: string;
  readonly digest?: string;
}

/** `short` as `shortImageName` answers it. */
export function registryReference(short: string): RegistryReference {
  const full = fullImageName(short);
  const slash = full.indexOf('/');
  const [named = '', digest] = full.slice(slash + 1).split('@');
  const colon = named.lastIndexOf(':');
  const repository = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  const place = { registry: full.slice(0, slash), repository };
  if (digest !== undefined) return { ...place, wanted: digest, digest };
  return { ...place, wanted: tag ?? 'latest' };
}

/** The same image, fixed to this content: `team/box@sha256:…`, whatever its tag. */
export function pinnedImageName(short: string, digest: string): string {
  return `${repositoryOf(short)}@${digest}`;
}

/** The name without tag and digest. */
export function repositoryOf(short: string): string {
  const [named = ''] = short.split('@');
  const colon = named.lastIndexOf(':');
  return colon > named.lastIndexOf('/') ? named.slice(0, colon) : named;
}

/** The digest that a pinned name is fixed to. */
export function pinOf(short: string): string | undefined {
  return short.split('@')[1];
}
