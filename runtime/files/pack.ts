/**
 * What is at a place as a tar, entry by entry: folders, files and links, with modes and times. Every file is opened
 * through the folder that holds it, so that nothing outside is read while somebody exchanges names. Sockets, pipes
 * and devices are no files and are left out.
 */
import { constants } from 'node:fs';
import { open, readdir, readlink } from 'node:fs/promises';
import { pack, type Header, type Pack } from 'tar-stream';
import { placeBelow, openBelow, type Anchor } from './anchored.ts';

interface PackOptions {
  readonly root: string;
  readonly path: string;
  /** Numbers of the owner in the archive; absent: those on disk. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** ENOENT and its kin as the system says them, before the first byte. */
export async function packBelow(options: PackOptions): Promise<AsyncIterable<Uint8Array>> {
  const { root, path, owner } = options;
  const place = await placeBelow(root, path, false);
  if (!place.stats) {
    await place.folder.close();
    throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT', syscall: 'open' });
  }
  const name = path.split('/').findLast((part) => part !== '' && part !== '.') ?? '.';
  const tar = pack();
  const fill = async (): Promise<void> => {
    try {
      if (place.name === '.') await addFolder(tar, place.folder, name, owner);
      else await add(tar, place.folder, place.name, name, owner);
      tar.finalize();
    } catch (error) {
      tar.destroy(error as Error);
    } finally {
      await place.folder.close();
    }
  };
  void fill();
  return tar as AsyncIterable<Uint8Array>;
}

type Sink = ReturnType<Pack['entry']>;
type Owner = PackOptions['owner'];
type Named = Partial<Header> & Pick<Header, 'name'>;

async function add(tar: Pack, folder: Anchor, own: string, name: string, owner: Owner): Promise<void> {
  const { stats, ...anchor } = await openBelow(folder.path, own, false);
  try {
    if (stats.isDirectory()) await addFolder(tar, { stats, ...anchor }, name, owner);
    else if (stats.isSymbolicLink())
      await entry(tar, {
        ...headerOf(stats, name, owner),
        type: 'symlink',
        linkname: await readlink(`${folder.path}/${own}`),
      });
    else if (stats.isFile()) await addFile(tar, { stats, ...anchor }, name, owner);
  } finally {
    await anchor.close();
  }
}

async function addFolder(tar: Pack, folder: Anchor, name: string, owner: Owner): Promise<void> {
  await entry(tar, { ...headerOf(folder.stats, `${name}/`, owner), type: 'directory' });
  for (const child of (await readdir(folder.path)).sort()) {
    await add(tar, folder, child, `${name}/${child}`, owner).catch((error: NodeJS.ErrnoException) => {
      // It went meanwhile.
      if (error.code !== 'ENOENT') throw error;
    });
  }
}

async function addFile(tar: Pack, file: Anchor, name: string, owner: Owner): Promise<void> {
  const handle = await open(file.path, constants.O_RDONLY);
  try {
    const { size } = file.stats;
    const sink = tar.entry({ ...headerOf(file.stats, name, owner), type: 'file', size });
    if (size === 0) return void sink.end(undefined);
    // As long as it was when its header was written: what is appended meanwhile is not in the archive.
    for await (const chunk of handle.createReadStream({ end: size - 1, autoClose: false }))
      if (!sink.write(chunk)) await drained(sink);
    sink.end(undefined);
  } finally {
    await handle.close();
  }
}

/** Or nobody reads any more: the next write says so. */
function drained(sink: Sink): Promise<void> {
  return new Promise((resolve) => {
    sink.once('drain', () => resolve());
    sink.once('close', () => resolve());
  });
}

function headerOf(stats: Anchor['stats'], name: string, owner: Owner): Named {
  const { uid, gid } = owner ?? stats;
  return { name, mode: stats.mode & 0o7777, mtime: stats.mtime, uid, gid };
}

function entry(tar: Pack, header: Named): Promise<void> {
  return new Promise((resolve, reject) => {
    tar.entry(header, (error) => (error ? reject(error) : resolve()));
  });
}
