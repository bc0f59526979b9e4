/** Files in and out of a container's root, with the refusals that people see. */
import { coded, CodedError } from '../../protocols/errors.ts';
import { packBelow } from './pack.ts';
import { unpackBelow } from './unpack.ts';

/** The last two: no file can have such a name, as it is too long or holds a zero byte. */
const absent = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE']);

/** `owner`: whose the files are in the archive, in place of who owns them on disk. HM-FILE-MISSING. */
export async function readFiles(
  root: string,
  path: string,
  owner?: { readonly uid: number; readonly gid: number },
): Promise<AsyncIterable<Uint8Array>> {
  return packBelow({ root, path, ...(owner ? { owner } : {}) }).catch((error: unknown) => {
    throw refused(error, path);
  });
}

/** HM-FILE-MISSING, HM-FILE-ARCHIVE. `owners`: whether the archive's owners are kept. */
export async function writeFiles(
  root: string,
  path: string,
  archive: AsyncIterable<Uint8Array>,
  owners = true,
): Promise<{ readonly entries: number }> {
  try {
    return { entries: await unpackBelow({ root, path, archive, owners }) };
  } catch (error) {
    throw refused(error, path);
  }
}

function refused(error: unknown, path: string): unknown {
  if (error instanceof CodedError) return error;
  const { code = '' } = error as NodeJS.ErrnoException;
  return absent.has(code) ? coded('HM-FILE-MISSING', `There is no ${path} (${code})`, { path }) : error;
}
