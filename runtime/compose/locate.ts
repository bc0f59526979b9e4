/** Which Compose file a command means, and its bytes: the names that Compose looks for, upwards from a directory. */
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { coded, type CodedError } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { ComposeText } from './read.ts';

const defaultNames = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml'];

export interface LocatedCompose extends ComposeText {
  /** Absolute. */
  readonly path: string;
  /** Absolute: where relative paths in the file start. */
  readonly projectDirectory: string;
}

/** The file given, `-` for standard input, else the nearest default name. Rejects with HM-COMPOSE-FILE or HM-COMPOSE-LIMIT. */
export async function locateCompose(
  given: string | undefined,
  directory: string,
  standardInput: () => Promise<string>,
): Promise<LocatedCompose> {
  if (given === '-') {
    const text = await standardInput();
    if (Buffer.byteLength(text) > limits.composeFileBytes) throw tooLarge('<stdin>');
    return { file: '<stdin>', text, path: '-', projectDirectory: directory };
  }
  const path = given === undefined ? await search(directory) : resolve(directory, given);
  const text = await readBounded(path);
  return { file: given ?? basename(path), text, path, projectDirectory: dirname(path) };
}

async function search(directory: string): Promise<string> {
  for (let at = resolve(directory); ; at = dirname(at)) {
    for (const name of defaultNames) {
      const path = join(at, name);
      if (await isFile(path)) return path;
    }
    if (at === dirname(at)) break;
  }
  throw coded('HM-COMPOSE-FILE', `No compose.yaml in ${directory} or above it`, { directory });
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );

async function readBounded(path: string): Promise<string> {
  try {
    if ((await stat(path)).size > limits.composeFileBytes) throw tooLarge(path);
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (thrown) {
    if (!(thrown instanceof Error) || thrown.name === 'CodedError') throw thrown;
    const { code } = thrown as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'does not exist' : code === 'EISDIR' ? 'is a directory' : thrown.message;
    throw coded('HM-COMPOSE-FILE', `${path}: ${why}`, { file: path });
  }
}

const tooLarge = (path: string): CodedError =>
  coded('HM-COMPOSE-LIMIT', `${path} is larger than ${limits.composeFileBytes} bytes`, { file: path });
