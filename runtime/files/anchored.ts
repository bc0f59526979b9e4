/**
 * Finding a file below a folder that is not trusted: a container's root, a volume. Every step opens one name inside a
 * folder that is held open, and never through a link; links are read and followed as a process would whose root is
 * that folder. So no link leads out, also while somebody inside exchanges one for another.
 */
import { constants, type Stats } from 'node:fs';
import { open, readlink, type FileHandle } from 'node:fs/promises';

/** Linux's own; Node does not name it: a handle that only marks a place. */
const markOnly = 0o10000000;
const linksFollowed = 40;

export interface Anchor {
  /** `/proc/self/fd/N` of this process: stands for the thing itself, whatever happens to its name. */
  readonly path: string;
  readonly stats: Stats;
  close(): Promise<void>;
}

/** A folder below, and a name in it that need not exist. */
export interface Place {
  readonly folder: Anchor;
  readonly name: string;
  /** What is there under the name, unless nothing is; a link is not followed. */
  readonly stats?: Stats;
}

const marker = constants.O_NOFOLLOW | markOnly;

/** ENOENT, ENOTDIR, ELOOP as the system says them. `follow`: also a link at the end of the path. */
export async function openBelow(root: string, path: string, follow = true): Promise<Anchor> {
  const place = await placeBelow(root, path, follow);
  try {
    if (place.name === '.') return place.folder;
    const handle = await open(`${place.folder.path}/${place.name}`, marker);
    await place.folder.close();
    return await anchorOf(handle);
  } catch (error) {
    await place.folder.close();
    throw error;
  }
}

/** The folder that holds the last name of the path. The root itself, and what ends with `..`, is the name `.` in itself. */
export async function placeBelow(root: string, path: string, follow: boolean): Promise<Place> {
  const stack = [await anchorOf(await open(root, constants.O_DIRECTORY | markOnly))];
  const names = split(path);
  let links = 0;
  try {
    for (;;) {
      const name = names.shift();
      const here = stack.at(-1)!;
      if (name === undefined) return { folder: await keepLast(stack), name: '.', stats: here.stats };
      if (name === '..') {
        if (stack.length > 1) await stack.pop()!.close();
        continue;
      }
      const handle = await markerOf(here, name, names.length === 0);
      if (!handle) return { folder: await keepLast(stack), name };
      const found = await anchorOf(handle);
      if (found.stats.isSymbolicLink() && (follow || names.length > 0)) {
        await found.close();
        if (++links > linksFollowed) throw failure('ELOOP', path);
        const target = await readlink(`${here.path}/${name}`);
        if (target.startsWith('/')) for (const above of stack.splice(1)) await above.close();
        names.unshift(...split(target));
        continue;
      }
      if (names.length === 0 && !found.stats.isDirectory()) {
        await found.close();
        return { folder: await keepLast(stack), name, stats: found.stats };
      }
      if (!found.stats.isDirectory()) {
        await found.close();
        throw failure('ENOTDIR', path);
      }
      if (names.length === 0) {
        await found.close();
        return { folder: await keepLast(stack), name, stats: found.stats };
      }
      stack.push(found);
    }
  } catch (error) {
    for (const anchor of stack) await anchor.close();
    throw error;
  }
}

async function markerOf(folder: Anchor, name: string, isLast: boolean): Promise<FileHandle | undefined> {
  try {
    return await open(`${folder.path}/${name}`, marker);
  } catch (error) {
    if (isLast && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function keepLast(stack: Anchor[]): Promise<Anchor> {
  const last = stack.pop()!;
  for (const anchor of stack.splice(0)) await anchor.close();
  return last;
}

async function anchorOf(handle: FileHandle): Promise<Anchor> {
  try {
    const stats = await handle.stat();
    return { path: `/proc/self/fd/${handle.fd}`, stats, close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function split(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code, syscall: 'open', path });
}

/** For another process of this machine, while the anchor is open. */
export function outside(anchor: Anchor): string {
  return anchor.path.replace('/proc/self/', `/proc/${process.pid}/`);
}
