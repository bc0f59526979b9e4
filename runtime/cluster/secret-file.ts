/**
 * Files of a node that only its owner may read: its key, and what the cluster gave it. Written whole and durable; read
 * only when nobody else can. Nothing of their content is ever in an error.
 */
import { chmod, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { coded, type CodedError } from '../../protocols/errors.ts';
import { writeWhole } from '../files/whole-file.ts';

/** The files of a node that make it one of its cluster, and the one with its token. */
export interface ClusterFiles {
  /** `undefined` when there is none. HM-CLUSTER-KEY when it cannot be read, or others can. */
  readSecret(path: string): Promise<string | undefined>;
  /** HM-CLUSTER-KEY, HM-DISK-FULL; then the file is as it was. */
  writeSecret(path: string, text: string): Promise<void>;
  /** Gone, also when it was not there. */
  remove(path: string): Promise<void>;
  /** Any file, whoever may read it. Rejects with the codes of the file system. */
  readText(path: string): Promise<string>;
}

/** On the machine's own disk. */
export const clusterFiles: ClusterFiles = {
  readSecret: readSecretFile,
  writeSecret: writeSecretFile,
  remove: (path) => rm(path, { force: true }),
  readText: (path) => readFile(path, 'utf8'),
};

/** HM-CLUSTER-KEY: about this file. */
export function refusedFile(path: string, what: string, hint?: string): CodedError {
  return coded('HM-CLUSTER-KEY', `the file ${path} ${what}`, { path }, hint);
}

async function readSecretFile(path: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0)
      throw refusedFile(path, 'can be read by others', `chmod 600 ${path}, and start the node again.`);
    return await readFile(path, 'utf8');
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === undefined) throw thrown;
    throw refusedFile(path, `cannot be read: ${code}`);
  }
}

async function writeSecretFile(path: string, text: string): Promise<void> {
  const folder = dirname(path);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
    await writeWhole(folder, basename(path), async (file) => {
      await file.writeFile(text);
      await file.sync();
    });
    const opened = await open(folder, 'r');
    try {
      await opened.sync();
    } finally {
      await opened.close();
    }
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === undefined) throw thrown;
    if (code === 'ENOSPC' || code === 'EDQUOT') throw coded('HM-DISK-FULL', `no room for ${path}`, { path });
    throw refusedFile(path, `cannot be written: ${code}`);
  }
}
