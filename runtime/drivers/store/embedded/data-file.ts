/**
 * A look at lmdb's file before lmdb maps it: on a file that is too short or something else, lmdb ends the process
 * (SIGBUS, SIGSEGV) instead of answering. Reads the two meta pages; layout of lmdb's data format 2, pages of 4,096.
 */
import { closeSync, existsSync, ftruncateSync, fstatSync, openSync, readSync } from 'node:fs';
import { coded, type CodedError } from '../../../../protocols/errors.ts';

const pageBytes = 4_096;
const magic = 0xbeefc0de;
const offsets = { magic: 24, version: 28, pageBytes: 48, root: 136, lastPage: 144, transaction: 152 };

interface Meta {
  readonly root: number;
  readonly lastPage: number;
  readonly transaction: number;
}

export const corrupt = (path: string, why: string): CodedError =>
  coded('HM-STORE-CORRUPT', `The store cannot be read: ${why}`, { path });

function metaOf(page: Buffer): Meta | undefined {
  const known =
    page.length === pageBytes &&
    page.readUInt32LE(offsets.magic) === magic &&
    page.readUInt32LE(offsets.version) === 2 &&
    page.readUInt32LE(offsets.pageBytes) === pageBytes;
  if (!known) return undefined;
  const number = (offset: number): number => Number(page.readBigUInt64LE(offset));
  return {
    root: number(offsets.root),
    lastPage: number(offsets.lastPage),
    transaction: number(offsets.transaction),
  };
}

/** An absent root has all bits set. */
const noPage = Number(0xffff_ffff_ffff_ffffn);

/**
 * Throws HM-STORE-CORRUPT for a file that lmdb must not see. Answers `suspect` for one that is shorter than its last
 * page: lmdb leaves free pages at the end unwritten, and a cut file looks the same. It is filled with zeros to its
 * full length, so that a lost page reads as a wrong one; the caller has to read everything once.
 */
export function inspectDataFile(path: string): 'absent' | 'sound' | 'suspect' {
  if (!existsSync(path)) return 'absent';
  const file = openSync(path, 'r+');
  try {
    const { size } = fstatSync(file);
    if (size === 0) return 'absent';
    const head = Buffer.alloc(2 * pageBytes);
    const read = readSync(file, head, 0, head.length, 0);
    const metas = [head.subarray(0, pageBytes), head.subarray(pageBytes, read)].map(metaOf);
    if (!metas[0] || !metas[1]) throw corrupt(path, 'it does not begin as a store does.');
    const newest = metas[0].transaction > metas[1].transaction ? metas[0] : metas[1];
    const wanted = (newest.lastPage + 1) * pageBytes;
    if (newest.root !== noPage && (newest.root + 1) * pageBytes > size)
      throw corrupt(path, 'its end is missing.');
    if (size >= wanted) return 'sound';
    ftruncateSync(file, wanted);
    return 'suspect';
  } finally {
    closeSync(file);
  }
}
