/**
 * Which images of a node may go: what nothing uses or wants, by age, and sooner when the disk is short. Pure; what a
 * revision that is kept names, its tag or its content, is never among them.
 */
import type { AppSpec, Assignment } from '../../apps/model.ts';
import { shortImageName } from '../image-name.ts';
import type { ImageInfo, PullProgress } from '../model.ts';
import { pinnedImageName } from './reference.ts';

export interface CollectionSettings {
  /** An image goes when nothing has wanted it for so long. */
  readonly unusedMs: number;
  /** Above this share of the disk unused images go whatever their age, the oldest first, until it is below … */
  readonly highShare: number;
  /** … this. */
  readonly lowShare: number;
}

/** What is wanted: short names of tags, and pinned names. */
export type WantedImages = ReadonlySet<string>;

export function wantedImages(
  revisions: readonly { readonly spec: AppSpec; readonly digests: Readonly<Record<string, string>> }[],
  assignments: readonly Pick<Assignment, 'spec' | 'digest'>[],
  pulls: readonly PullProgress[],
): WantedImages {
  const wanted = new Set<string>();
  const add = (image: string, digest?: string) => {
    const short = shortImageName(image);
    if (short === undefined) return;
    wanted.add(short);
    if (digest !== undefined) wanted.add(pinnedImageName(short, digest));
  };
  for (const { spec, digests } of revisions)
    for (const { image } of Object.values(spec.services)) add(image, digests[image]);
  for (const { spec, digest } of assignments) add(spec.image, digest);
  for (const { image, digest } of pulls) add(image, digest);
  return wanted;
}

/** Wanted by its name, or because its content is what a pinned name stands for. */
export function isWanted(
  { name, digest }: Pick<ImageInfo, 'name' | 'digest'>,
  wanted: WantedImages,
): boolean {
  return wanted.has(name) || wanted.has(pinnedImageName(name, digest));
}

/** Services that run it or are about to, once each. */
export function usersOf(
  image: Pick<ImageInfo, 'name' | 'digest'>,
  assignments: readonly Pick<Assignment, 'app' | 'service' | 'spec' | 'digest'>[],
): readonly string[] {
  const using = assignments.filter((one) => isWanted(image, wantedImages([], [one], [])));
  return [...new Set(using.map(({ app, service }) => `${app}/${service}`))].sort();
}

/** When one that nothing wants goes by its age. */
export function goesAt(
  { name, createdAt }: Pick<ImageInfo, 'name' | 'createdAt'>,
  unusedSince: Readonly<Record<string, number>>,
  { unusedMs }: CollectionSettings,
  nowMs: number,
): number {
  return Math.max(createdAt, unusedSince[name] ?? nowMs) + unusedMs;
}

/**
 * Names in the order in which they may go. `unusedSince` by name: when it was first seen unwanted (absent: just now);
 * an image is never older than its arrival.
 */
export function collectable(
  images: readonly ImageInfo[],
  wanted: WantedImages,
  unusedSince: Readonly<Record<string, number>>,
  disk: { readonly usedBytes: number; readonly totalBytes: number },
  settings: CollectionSettings,
  nowMs: number,
): readonly string[] {
  const idle = images
    .filter((image) => !isWanted(image, wanted))
    .map((image) => ({ ...image, since: Math.max(image.createdAt, unusedSince[image.name] ?? nowMs) }))
    .sort((a, b) => a.since - b.since || (a.name < b.name ? -1 : 1));
  const isShort = disk.totalBytes > 0 && disk.usedBytes > disk.totalBytes * settings.highShare;
  let toFree = isShort ? disk.usedBytes - disk.totalBytes * settings.lowShare : 0;
  const going: string[] = [];
  for (const { name, since, sizeBytes } of idle) {
    if (nowMs - since < settings.unusedMs && toFree <= 0) continue;
    going.push(name);
    toFree -= sizeBytes;
  }
  return going;
}
