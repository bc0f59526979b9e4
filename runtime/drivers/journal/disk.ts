/**
 * What the journal needs of a disk, and no more: so that a simulated one can lose, tear and refuse writes. Errors are
 * those of the file system, with its codes (`ENOSPC`, `EIO`, …).
 */
import { open, readdir, readFile, rename, rm, type FileHandle } from 'node:fs/promises';

export interface DiskFile {
  /** All bytes at the end, or an error; after an error, and before a `sync`, any part of them may be there. */
  append(bytes: Uint8Array): Promise<void>;
  /** Every byte appended before survives a loss of power. After an error nothing is known of them. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface Disk {
  /** The whole file; `undefined` when there is none. */
  read(path: string): Promise<Uint8Array | undefined>;
  /** A new, empty file, in place of one that is there. */
  create(path: string): Promise<DiskFile>;
  /** An existing file, to append to. */
  open(path: string): Promise<DiskFile>;
  /** Atomic; replaces `to`. Durable after `syncFolder`. */
  rename(from: string, to: string): Promise<void>;
  /** Gone, also when it was not there. */
  remove(path: string): Promise<void>;
  /** Names of the files in a folder, sorted. */
  list(folder: string): Promise<readonly string[]>;
  /** Creations, renames and removals in the folder survive a loss of power. */
  syncFolder(folder: string): Promise<void>;
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

function fileOf(handle: FileHandle): DiskFile {
  return {
    append: async (bytes) => {
      for (let written = 0; written < bytes.length;) {
        written += (await handle.write(bytes, written, bytes.length - written, null)).bytesWritten;
      }
    },
    sync: () => handle.datasync(),
    close: () => handle.close(),
  };
}

/** The machine's own file system. The folder must exist. */
export function createFileDisk(): Disk {
  return {
    read: async (path) => {
      try {
        return await readFile(path);
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined;
        throw error;
      }
    },
    create: async (path) => fileOf(await open(path, 'w', 0o600)),
    open: async (path) => fileOf(await open(path, 'a', 0o600)),
    rename,
    remove: (path) => rm(path, { force: true }),
    list: async (folder) => (await readdir(folder)).sort(),
    syncFolder: async (folder) => {
      const handle = await open(folder, 'r');
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    },
  };
}

/** Whether a file system's error says that there is no space left. */
export function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(codeOf(error) ?? '');
}
