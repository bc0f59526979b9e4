/**
 * Volumes that nobody named: one for each replica and place in it, by a name that can be told again, so that the next
 * run of the replica finds what the last one left. They have no record; who removes an app's volumes removes all of them.
 */
import { resolvePath } from '../apps/compose/values.ts';
import type { MountSpec, ServiceSpec } from '../apps/model.ts';
import { hashText } from '../hash.ts';
import { limits } from '../limits.ts';

/** In a removal: all anonymous volumes of the app. No volume has this name. */
export const everyAnonymous = '*';

/** A dot is in no name that a file may give. */
const pattern = /^([a-z0-9][a-z0-9_-]*)\.([1-9]\d{0,8})\.[0-9a-f]{12}$/;

export const isAnonymousVolume = (volume: string): boolean => ownerOf(volume) !== undefined;

/** `db.1.3f9a1c2bd0e1`. `target` is absolute and has no dots and doubled slashes to resolve. */
export function anonymousVolume(service: string, index: number, target: string): string {
  return `${service}.${index}.${hashText(target).slice(0, 12)}`;
}

/** Whose an anonymous volume is; none: it has a name of its own. */
export function ownerOf(volume: string): { readonly service: string; readonly index: number } | undefined {
  const [, service, index] = pattern.exec(volume) ?? [];
  if (service === undefined || service.length > limits.nameChars) return undefined;
  return { service, index: Number(index) };
}

/** The mounts of a service's file, and an anonymous volume wherever the image declares one and nothing else is. */
export function withDeclared(spec: ServiceSpec, declared: readonly string[]): readonly MountSpec[] {
  const { mounts, files = [] } = spec;
  const taken = new Set(['/', ...[...mounts, ...files].map(({ target }) => resolvePath('/', target))]);
  const places = new Set(declared.map((target) => resolvePath('/', target)));
  const free = [...places].filter((target) => !taken.has(target));
  return [...mounts, ...free.map((target) => ({ type: 'anonymous', target, readOnly: false }) as const)];
}
