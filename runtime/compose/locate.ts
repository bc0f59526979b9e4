/** The files that loading asks for, read from the disk: with bounds, and with words for what cannot be read. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FileAnswer, FileRequest } from '../../protocols/apps/compose/files/requests.ts';
import { CodedError, coded, reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import { readCompose } from './read.ts';

/** Answers one request. Never rejects for what a file is or is not. */
export async function answerRequest(
  request: FileRequest,
  standardInput: () => Promise<string>,
): Promise<FileAnswer> {
  if (request.want === 'search') return { found: await search(request) };
  try {
    if (request.want === 'bytes')
      return { bytes: await readBounded(request.path, request.path, request.most) };
    const { path, file } = request;
    const most = limits.composeFileBytes;
    const bytes = path === '-' ? Buffer.from(await standardInput()) : await readBounded(path, file, most);
    if (bytes.length > most) throw tooLarge(file, most);
    return readCompose({ file, text: decode(bytes, file) });
  } catch (thrown) {
    if (!(thrown instanceof CodedError)) throw thrown;
    return { failed: thrown.reason, absent: thrown instanceof AbsentFile };
  }
}

class AbsentFile extends CodedError {
  constructor(file: string) {
    super(reason('HM-COMPOSE-FILE', `${file} does not exist`, { file }));
  }
}

/** All of the names that are files in the nearest directory that has one of them. */
async function search({
  directory,
  names,
  upwards,
}: Extract<FileRequest, { want: 'search' }>): Promise<readonly string[]> {
  for (let at = directory; ; at = dirname(at)) {
    const paths = names.map((name) => join(at, name));
    const there = await Promise.all(paths.map(isFile));
    const found = paths.filter((_, index) => there[index]);
    if (found.length > 0 || !upwards || at === dirname(at)) return found;
  }
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );

async function readBounded(path: string, called: string, most: number): Promise<Buffer> {
  try {
    const found = await stat(path);
    // A device or a pipe could go on for ever.
    if (!found.isFile()) throw unreadable(called, found.isDirectory() ? 'is a directory' : 'is not a file');
    if (found.size > most) throw tooLarge(called, most);
    return await readFile(path);
  } catch (thrown) {
    if (thrown instanceof CodedError) throw thrown;
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new AbsentFile(called);
    throw unreadable(called, code === 'EACCES' ? 'may not be read' : message);
  }
}

function decode(bytes: Buffer, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw unreadable(file, 'is not UTF-8 text');
  }
}

const unreadable = (file: string, why: string): CodedError =>
  coded('HM-COMPOSE-FILE', `${file} ${why}`, { file });

const tooLarge = (file: string, most: number): CodedError =>
  coded('HM-COMPOSE-LIMIT', `${file} is larger than ${most} bytes`, { file });
