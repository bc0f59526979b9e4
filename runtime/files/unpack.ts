/**
 * A tar unpacked below a folder. The archive is not trusted: no name with `..`, no absolute name, and no step through
 * a link, whether the archive brought it or it was there; so nothing is written outside. Modes and times are kept. A file
 * is there whole or not at all.
 */
import { constants } from 'node:fs';
import { lchown, link, lstat, lutimes, mkdir, open, symlink, unlink } from 'node:fs/promises';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, type Extract, type Header } from 'tar-stream';
import { coded } from '../../protocols/errors.ts';
import { openBelow, placeBelow, type Anchor } from './anchored.ts';
import { writeWhole } from './whole-file.ts';

interface UnpackOptions {
  readonly root: string;
  /** A folder that exists; or a name in one, which the archive's one top entry gets. */
  readonly path: string;
  readonly archive: AsyncIterable<Uint8Array>;
  /** Whether numbers of owners are kept. */
  readonly owners: boolean;
}

/** Answers how many entries there were. HM-FILE-ARCHIVE; ENOENT and its kin as the system says them. */
export async function unpackBelow({ root, path, archive, owners }: UnpackOptions): Promise<number> {
  const place = await placeBelow(root, path, true);
  try {
    const isFolder = place.stats?.isDirectory() ?? false;
    const into =
      isFolder && place.name !== '.' ? await openBelow(place.folder.path, place.name) : place.folder;
    try {
      return await unpack(into, isFolder ? undefined : place.name, archive, owners);
    } finally {
      if (into !== place.folder) await into.close();
    }
  } finally {
    await place.folder.close();
  }
}

async function unpack(
  folder: Anchor,
  rename: string | undefined,
  archive: AsyncIterable<Uint8Array>,
  owners: boolean,
): Promise<number> {
  const entries = extract();
  let fault: unknown;
  const source = Readable.from(archive, { objectMode: false });
  const fed = pipeline(source, entries as unknown as Writable).catch((error: unknown) => (fault ??= error));
  let count = 0;
  let top: string | undefined;
  try {
    for await (const entry of entries) {
      const parts = partsOf(entry.header.name);
      top ??= parts[0];
      if (rename !== undefined) {
        if (parts[0] !== top)
          throw bad('it has several entries at its top, and there is no folder for them', entry.header.name);
        parts[0] = rename;
      }
      await put(folder, parts, entry, owners, rename === undefined ? undefined : { top: top!, rename });
      count += 1;
    }
  } catch (error) {
    entries.destroy();
    await fed;
    throw readable(error);
  }
  await fed;
  if (fault !== undefined) throw readable(fault);
  return count;
}

function readable(error: unknown): unknown {
  const { message, code, syscall, reason } = error as NodeJS.ErrnoException & { reason?: unknown };
  if (code === 'ENAMETOOLONG')
    return coded('HM-FILE-ARCHIVE', 'The archive is refused: a name in it is too long');
  return syscall !== undefined || reason !== undefined
    ? error
    : coded('HM-FILE-ARCHIVE', `The archive cannot be read: ${message}`);
}

function partsOf(name: string): string[] {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (name.startsWith('/') || parts.includes('..')) throw bad('a name leads out of it', name);
  return parts;
}

function bad(why: string, name: string): Error {
  const entry = name.length > 200 ? `${name.slice(0, 200)}…` : name;
  return coded('HM-FILE-ARCHIVE', `The archive is refused: ${why} (${entry})`, { entry });
}

type Entry = Extract extends AsyncIterable<infer One> ? One : never;

interface Renaming {
  readonly top: string;
  readonly rename: string;
}

async function put(
  folder: Anchor,
  parts: readonly string[],
  entry: Entry,
  owners: boolean,
  renaming: Renaming | undefined,
): Promise<void> {
  const { header } = entry;
  const name = parts.at(-1);
  if (name === undefined) return void entry.resume();
  const parent = await descend(folder, parts.slice(0, -1), header.name, true);
  try {
    const at = `${parent.path}/${name}`;
    if (header.type === 'directory') await makeFolder(parent, name, header, owners);
    else if (header.type === 'file' || header.type === 'contiguous-file')
      await writeFile(parent, name, entry, owners);
    else if (header.type === 'symlink') {
      await clear(at);
      await symlink(header.linkname ?? '', at);
      if (owners) await lchown(at, header.uid ?? 0, header.gid ?? 0);
    } else if (header.type === 'link') await makeLink(folder, at, header, renaming);
    else throw bad(`a ${header.type} is no file`, header.name);
    if (header.mtime && header.type === 'symlink') await lutimes(at, header.mtime, header.mtime);
    entry.resume();
  } finally {
    if (parent !== folder) await parent.close();
  }
}

/** Folders below, made where they are missing; a link among them is refused. */
async function descend(
  folder: Anchor,
  parts: readonly string[],
  name: string,
  make: boolean,
): Promise<Anchor> {
  let here = folder;
  try {
    for (const part of parts) {
      if (make) await mkdir(`${here.path}/${part}`, 0o755).catch(unlessThere);
      const next = await openBelow(here.path, part, false);
      if (here !== folder) await here.close();
      here = next;
      if (!next.stats.isDirectory()) throw bad('it goes through what is no folder', name);
    }
    return here;
  } catch (error) {
    if (here !== folder) await here.close();
    throw error;
  }
}

async function makeFolder(parent: Anchor, name: string, header: Header, owners: boolean): Promise<void> {
  const at = `${parent.path}/${name}`;
  await mkdir(at, header.mode ?? 0o755).catch(unlessThere);
  const handle = await open(at, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOTDIR' || error.code === 'ELOOP')
        throw bad('a folder is in the place of another thing', header.name);
      throw error;
    },
  );
  try {
    if (owners) await handle.chown(header.uid ?? 0, header.gid ?? 0);
    await handle.chmod((header.mode ?? 0o755) & 0o7777);
  } finally {
    await handle.close();
  }
}

async function writeFile(parent: Anchor, name: string, entry: Entry, owners: boolean): Promise<void> {
  const { header } = entry;
  const there = await lstat(`${parent.path}/${name}`).catch(unlessMissing);
  if (there?.isDirectory()) throw wouldReplaceFolder(name);
  await writeWhole(parent.path, name, async (file) => {
    for await (const chunk of entry) await file.writeFile(chunk as Uint8Array);
    if (owners) await file.chown(header.uid ?? 0, header.gid ?? 0);
    await file.chmod((header.mode ?? 0o644) & 0o7777);
    if (header.mtime) await file.utimes(header.mtime, header.mtime);
  });
}

/** To a file that the archive brought, or that is there: never through a link. */
async function makeLink(
  folder: Anchor,
  at: string,
  header: Header,
  renaming: Renaming | undefined,
): Promise<void> {
  const parts = partsOf(header.linkname ?? '');
  if (renaming && parts[0] === renaming.top) parts[0] = renaming.rename;
  const name = parts.at(-1);
  if (name === undefined) throw bad('a link leads nowhere', header.name);
  const parent = await descend(folder, parts.slice(0, -1), header.name, false);
  try {
    await clear(at);
    await link(`${parent.path}/${name}`, at).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'EPERM' ? bad('a hard link leads to a folder', header.name) : error;
    });
  } finally {
    if (parent !== folder) await parent.close();
  }
}

/** What is replaced; a folder is not. */
async function clear(at: string): Promise<void> {
  await unlink(at).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EISDIR' || error.code === 'EPERM') throw wouldReplaceFolder(at.split('/').at(-1)!);
    unlessMissing(error);
  });
}

const wouldReplaceFolder = (name: string): Error => bad('it would replace a folder by a file', name);

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

function unlessThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
