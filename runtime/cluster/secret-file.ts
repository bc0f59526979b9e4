/**
 * Files of a node that only its owner may read: its key, and what the cluster gave it. Written whole and durable; read
 * only when nobody else can. Nothing of their content is ever in an error.
 */
import { chmod, mkdir, open, readFile, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { coded, type CodedError } from '../../protocols/errors.ts';
import { writeWhole } from '../files/whole-file.ts';

/** HM-CLUSTER-KEY: about this file. */
export function refusedFile(path: string, what: string, hint?: string): CodedError {
  return coded('HM-CLUSTER-KEY', `the file ${path} ${what}`, { path }, hint);
}

/** `undefined` when there is none. HM-CLUSTER-KEY when it cannot be read, or others can. */
export async function readSecretFile(path: string): Promise<string | undefined> {
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

/** HM-CLUSTER-KEY, HM-DISK-FULL; then the file is as it was. */
export async function writeSecretFile(path: string, text: string): Promise<void> {
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
