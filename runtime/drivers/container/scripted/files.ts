/** Files of a scripted container: what was written into it can be read again, and nothing else is there. */
import { extract, pack, type Extract, type Header } from 'tar-stream';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { coded, CodedError } from '../../../../protocols/errors.ts';

interface Kept {
  readonly header: Header;
  readonly content: Uint8Array;
}

/** By absolute path. */
export type ScriptedFiles = Map<string, Kept>;

export async function putFiles(
  files: ScriptedFiles,
  path: string,
  archive: AsyncIterable<Uint8Array>,
): Promise<number> {
  const entries = extract();
  const source = Readable.from(archive, { objectMode: false });
  // What ends it ends the reading below too, and is told there.
  const fed = pipeline(source, entries as unknown as Writable).catch(() => undefined);
  let count = 0;
  try {
    for await (const entry of entries) {
      await keep(files, path, entry);
      count += 1;
    }
  } catch (error) {
    entries.destroy();
    throw error instanceof CodedError ? error : coded('HM-FILE-ARCHIVE', (error as Error).message);
  } finally {
    await fed;
  }
  return count;
}

type Entry = Extract extends AsyncIterable<infer One> ? One : never;

async function keep(files: ScriptedFiles, path: string, entry: Entry): Promise<void> {
  const { header } = entry;
  if (header.name.startsWith('/') || header.name.split('/').includes('..'))
    throw coded('HM-FILE-ARCHIVE', undefined, { entry: header.name });
  const chunks: Uint8Array[] = [];
  for await (const chunk of entry) chunks.push(chunk as Uint8Array);
  files.set(plain(`${path}/${header.name}`), { header, content: Buffer.concat(chunks) });
}

/** HM-FILE-MISSING. */
export function takeFiles(files: ScriptedFiles, path: string): AsyncIterable<Uint8Array> {
  const top = plain(path);
  const found = [...files].filter(([name]) => name === top || name.startsWith(`${top}/`));
  if (found.length === 0) throw coded('HM-FILE-MISSING', undefined, { path });
  const tar = pack();
  const above = top.lastIndexOf('/') + 1;
  for (const [name, { header, content }] of found) {
    const end = header.type === 'directory' ? '/' : '';
    tar.entry({ ...header, name: `${name.slice(above)}${end}` }, content);
  }
  tar.finalize();
  return tar as AsyncIterable<Uint8Array>;
}

function plain(path: string): string {
  return `/${path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')}`;
}
