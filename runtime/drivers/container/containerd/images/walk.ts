/**
 * The files of an image archive, one after the other, from a tar that may be packed with gzip. Nothing of it is trusted:
 * how much it holds, how many entries and how long their names are is bounded, and no name leads out of it.
 */
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { posix } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Extract } from 'tar-stream';
import { coded, CodedError } from '../../../../../protocols/errors.ts';
import { limits } from '../../../../../protocols/limits.ts';

/** As in Docker's own manifest.json. */
const nameChars = 1_024;

type Visit = (name: string, size: number, body: AsyncIterable<Uint8Array>) => Promise<void>;

/** Bytes that an archive may hold: one of some MB that is packed may not be all of a disk. */
export async function roomOf(path: string, maxBytes: number): Promise<number> {
  const packed = (await stat(path)).size * limits.imageUnpackedRatio;
  return Math.min(limits.imageArchiveBytes, Math.max(maxBytes, packed));
}

/** A name that stands for another one of the archive. */
type Link = (name: string, target: string) => void;

/** HM-IMAGE-ARCHIVE when it cannot be read; what `visit` throws is thrown on. */
export async function walk(
  path: string,
  signal: AbortSignal,
  room: number,
  visit: Visit,
  link: Link = () => undefined,
): Promise<void> {
  const tar: Extract = extract();
  let entries = 0;
  let refusal: unknown;
  let flowing: Promise<unknown> = Promise.resolve();
  try {
    const stages = (await isGzip(path)) ? [createGunzip()] : [];
    flowing = pipeline(
      [createReadStream(path), ...stages, bounded(path, room), tar as unknown as NodeJS.WritableStream],
      {
        signal,
      },
    );
    // The loop below meets the same error, but later.
    flowing.catch(() => {});
    for await (const entry of tar) {
      const { name, type, size } = entry.header;
      // A folder for each blob, and what older versions of Docker lay beside it.
      if (++entries > 4 * limits.imageArchiveBlobs)
        throw broken(path, `it holds more than ${entries - 1} entries`);
      if (type === 'file') {
        const body = entry as AsyncIterable<Uint8Array>;
        await visit(safeName(path, name), size, body).catch((error: unknown) => {
          refusal = error;
          throw error;
        });
      }
      const { linkname } = entry.header;
      if (linkname && (type === 'symlink' || type === 'link'))
        link(safeName(path, name), targetOf(path, name, linkname, type));
      entry.resume();
    }
    await flowing;
  } catch (error) {
    tar.destroy();
    const ofStream: unknown = await flowing.then(
      () => undefined,
      (failure: unknown) => failure,
    );
    // A visitor sees the stream's own errors too, as it reads a body.
    if (refusal instanceof Error && refusal !== ofStream) throw refusal;
    if (error instanceof CodedError || signal.aborted) throw error;
    throw broken(path, error instanceof Error ? error.message : String(error));
  }
}

/** Lets bytes through as long as there is room. */
function bounded(path: string, room: number): Transform {
  let total = 0;
  return new Transform({
    transform: (chunk: Uint8Array, _encoding, done) => {
      total += chunk.length;
      if (total > room) done(broken(path, `it holds more than ${room} bytes`));
      else done(null, chunk);
    },
  });
}

/** What else people pack archives with begins so. */
const otherPackings: readonly (readonly [magic: string, program: string])[] = [
  ['28b52ffd', 'zstd'],
  ['fd377a58', 'xz'],
  ['425a68', 'bzip2'],
  ['504b0304', 'zip'],
];

/** HM-IMAGE-ARCHIVE when it is packed in another way. */
async function isGzip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    const magic = buffer.toString('hex', 0, bytesRead);
    const other = otherPackings.find(([begin]) => magic.startsWith(begin));
    if (other) throw broken(path, `it is packed with ${other[1]}; unpack it first, or pack it with gzip`);
    return magic.startsWith('1f8b');
  } finally {
    await file.close();
  }
}

/** Names never become paths here; an archive that tries to leave its folder is refused all the same, as no honest tool made it. */
function safeName(path: string, name: string): string {
  const plain = name.replace(/^(?:\.\/)+/, '');
  if (plain.length > nameChars)
    throw broken(path, `it holds a path of ${plain.length} characters, ${plain.slice(0, 60)}…`);
  if (plain.startsWith('/') || plain.split('/').includes('..'))
    throw broken(path, `it holds the path ${name}`);
  return plain;
}

/** A symbolic link is read from its own folder, a hard one from the top. */
function targetOf(path: string, name: string, linkname: string, type: 'symlink' | 'link'): string {
  const target = posix.join(type === 'link' ? '' : posix.dirname(name), linkname);
  if (linkname.startsWith('/')) throw broken(path, `it holds a link to ${linkname}`);
  return safeName(path, target);
}

export function broken(path: string, what: string): CodedError {
  return coded('HM-IMAGE-ARCHIVE', `${path} is not a readable OCI image archive: ${what}.`, { path });
}
