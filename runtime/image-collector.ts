/**
 * Images that nothing wants any more go, by age and when the disk is short. Decides nothing: it looks (store, images,
 * pulls, disk), asks `protocols/containers/registry/collection.ts`, and looks again before each removal.
 */
import { statfs } from 'node:fs/promises';
import type { AppRecord, Assignment, RevisionRecord } from '../protocols/apps/model.ts';
import {
  collectable,
  goesAt,
  isWanted,
  usersOf,
  wantedImages,
  type CollectionSettings,
  type WantedImages,
} from '../protocols/containers/registry/collection.ts';
import type { ImageInfo, ImageUse } from '../protocols/containers/model.ts';
import { limits } from '../protocols/limits.ts';
import type { Call, StateStore, Stop } from '../protocols/ports.ts';
import { keys } from '../protocols/state/keys.ts';
import type { NodeHandle } from './node-handle.ts';

export interface Disk {
  readonly usedBytes: number;
  readonly totalBytes: number;
}

/** Of the file system that holds the folder. */
export async function diskOf(folder: string): Promise<Disk> {
  const { blocks, bfree, bsize } = await statfs(folder);
  return { usedBytes: (blocks - bfree) * bsize, totalBytes: blocks * bsize };
}

/** What the collector of a node goes by, and has seen. */
export interface Collection {
  readonly settings: CollectionSettings;
  /** By name: since when nothing has been seen to want it. */
  readonly unusedSince: Record<string, number>;
}

/** All that nothing wants, whatever its age. */
export const everythingUnused: CollectionSettings = { unusedMs: 0, highShare: 1, lowShare: 1 };
const noDisk: Disk = { usedBytes: 0, totalBytes: 0 };

/** Removes what may go and tells it as an event; answers what went. */
export async function collectImages(
  node: NodeHandle,
  settings: CollectionSettings,
  call: Call,
  unusedSince: Readonly<Record<string, number>> = {},
  disk: Disk = noDisk,
): Promise<readonly ImageInfo[]> {
  const { images } = await node.ports.images.list({}, call);
  const wanted = await lookWanted(node, call);
  const going = new Set(collectable(images, wanted, unusedSince, disk, settings, node.clock.now()));
  const removed: ImageInfo[] = [];
  for (const image of images.filter(({ name }) => going.has(name))) {
    // A deploy may have come between.
    if (isWanted(image, await lookWanted(node, call))) continue;
    await node.ports.images.remove({ image: image.name }, call);
    removed.push(image);
    node.note({
      type: 'image.collected',
      subject: image.name,
      level: 'info',
      message: `${image.name} is removed: nothing wants it`,
      details: { digest: image.digest, sizeBytes: image.sizeBytes },
    });
  }
  return removed;
}

/** What each image of the node is for. Without a collection none goes by itself. */
export async function lookUses(
  node: NodeHandle,
  collection: Collection | undefined,
  call: Call,
): Promise<(image: ImageInfo) => ImageUse> {
  const assignments = await all<Assignment>(node.ports.store, keys.assignments(node.name), call);
  const wanted = await lookWanted(node, call);
  const now = node.clock.now();
  return (image) => {
    const isKept = isWanted(image, wanted);
    const goes =
      isKept || !collection
        ? {}
        : { goesAt: goesAt(image, collection.unusedSince, collection.settings, now) };
    return { usedBy: usersOf(image, assignments), wanted: isKept, ...goes };
  };
}

async function lookWanted({ ports, name, cluster }: NodeHandle, call: Call): Promise<WantedImages> {
  const { pulls } = await ports.images.pulls({}, call);
  // What an agent is to keep is placed on it: the revisions are the server's.
  const isAgent = cluster?.self.role === 'agent';
  const apps = isAgent ? [] : await all<AppRecord>(ports.store, keys.apps, call);
  const revisions = await Promise.all(
    apps.map((app) => all<RevisionRecord>(ports.store, keys.revisions(app.name), call)),
  );
  const assignments = await all<Assignment>(ports.store, keys.assignments(name), call);
  return wantedImages(revisions.flat(), assignments, pulls);
}

async function all<Value>(store: StateStore, prefix: string, call: Call): Promise<readonly Value[]> {
  const { kvs } = await store.list({ prefix }, call);
  return kvs.map(({ value }) => value as Value);
}

/** Looks now and then; what fails is tried again at the next look. */
export function keepCollecting(
  node: NodeHandle,
  { settings, unusedSince }: Collection,
  lookAtDisk: () => Promise<Disk>,
): Stop {
  const ended = new AbortController();
  let timer: unknown;
  const look = async (): Promise<void> => {
    const call = { key: 'collect', signal: ended.signal };
    const wanted = await lookWanted(node, call);
    const { images } = await node.ports.images.list({}, call);
    const idle = new Set(images.filter((image) => !isWanted(image, wanted)).map(({ name }) => name));
    for (const name of Object.keys(unusedSince)) if (!idle.has(name)) delete unusedSince[name];
    for (const name of idle) unusedSince[name] ??= node.clock.now();
    await collectImages(node, settings, call, unusedSince, await lookAtDisk());
  };
  const arm = (afterMs: number) => {
    timer = node.clock.setTimer(afterMs, () => {
      void look()
        .catch(() => undefined)
        .then(() => (ended.signal.aborted ? undefined : arm(limits.imageCollectMs)));
    });
  };
  arm(limits.imageCollectFirstMs);
  return () => {
    ended.abort();
    node.clock.clearTimer(timer);
  };
}
