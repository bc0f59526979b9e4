/**
 * Reads OCI image archives: an image layout in a tar file, compressed with gzip or not. The file is walked twice, first
 * to check everything, then to hand out blobs; it never lies in memory whole, and nothing of it is ever unpacked to
 * a path that it names. What the documents in it mean is `layout.ts`'s business.
 */
import { createHash } from 'node:crypto';
import { limits } from '../../../../../protocols/limits.ts';
import { readDockerArchive, type ArchiveFile } from './docker-archive.ts';
import { LayoutError } from './layout.ts';
import { broken, roomOf, walk } from './walk.ts';

export interface ArchiveContents {
  readonly index: unknown;
  /** Every blob of the archive: digest to size in bytes. All digests were checked. */
  readonly blobs: ReadonlyMap<string, number>;
  /** Those of them that are JSON documents. */
  readonly documents: ReadonlyMap<string, unknown>;
  /** Of an archive of Docker's: entries to the digests of what they hold … */
  readonly names: ReadonlyMap<string, string>;
  /** … and documents that are not in it. */
  readonly made: ReadonlyMap<string, Buffer>;
}

export interface ArchiveBlob {
  readonly digest: string;
  readonly size: number;
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * Checks the archive from end to end, within bounded memory; packed it may hold `maxBytes` in any case, and beyond them
 * as much as its own size allows. HM-IMAGE-ARCHIVE says what is wrong with it.
 */
export async function checkArchive(
  path: string,
  signal: AbortSignal,
  maxBytes: number = limits.imageUnpackedBytes,
): Promise<ArchiveContents> {
  const blobs = new Map<string, number>();
  const documents = new Map<string, unknown>();
  const others = new Map<string, ArchiveFile>();
  const texts = new Map<string, Uint8Array>();
  const links = new Map<string, string>();
  let index: unknown;
  let documentBytes = 0;
  const keep = (content: Uint8Array): void => {
    documentBytes += content.length;
    if (documentBytes > limits.imageDocumentsBytes)
      throw broken(path, `its documents have more than ${limits.imageDocumentsBytes} bytes`);
  };
  const room = await roomOf(path, maxBytes);
  const visit = async (name: string, size: number, body: AsyncIterable<Uint8Array>): Promise<void> => {
    if (name === 'index.json') {
      index = parse(path, name, await whole(path, name, size, body));
      return;
    }
    const digest = digestOf(name);
    if (blobs.size + others.size >= limits.imageArchiveBlobs)
      throw broken(path, `it holds more than ${limits.imageArchiveBlobs} blobs`);
    const read = await hashed(body, size <= limits.imageDocumentBytes);
    if (!digest) {
      others.set(name, { digest: read.digest, size, head: read.head });
      if (read.content) {
        keep(read.content);
        texts.set(name, read.content);
      }
      return;
    }
    if (read.digest !== digest) throw broken(path, `the blob ${digest} has the digest ${read.digest}`);
    const { content } = read;
    blobs.set(digest, size);
    // A layer is never mistaken for a document: tar and gzip begin otherwise.
    if (content?.[0] !== 0x7b) return;
    keep(content);
    documents.set(digest, parse(path, name, content));
  };
  await walk(path, signal, room, visit, (name, target) => {
    if (links.size >= limits.imageArchiveBlobs)
      throw broken(path, `it holds more than ${limits.imageArchiveBlobs} links`);
    links.set(name, target);
  });
  if (index !== undefined) return { index, blobs, documents, names: new Map(), made: new Map() };
  const saved = texts.get('manifest.json');
  if (!saved) throw broken(path, 'it has no index.json');
  return asDocker(path, parse(path, 'manifest.json', saved), withLinked(others, links), texts);
}

/** Older versions of Docker write a layer that two images share once, and a link in its other places. */
function withLinked(
  files: ReadonlyMap<string, ArchiveFile>,
  links: ReadonlyMap<string, string>,
): ReadonlyMap<string, ArchiveFile> {
  const all = new Map(files);
  for (const [name, first] of links) {
    let at: string | undefined = first;
    // Links of links, as many as the kernel follows; a circle ends as well.
    for (let steps = 0; at !== undefined && !files.has(at) && steps < 40; steps += 1) at = links.get(at);
    const file = at === undefined ? undefined : files.get(at);
    if (file && !files.has(name)) all.set(name, file);
  }
  return all;
}

/** HM-IMAGE-ARCHIVE when Docker's manifest names what is not there. */
function asDocker(
  path: string,
  saved: unknown,
  files: ReadonlyMap<string, ArchiveFile>,
  texts: ReadonlyMap<string, Uint8Array>,
): ArchiveContents {
  try {
    const { index, made } = readDockerArchive(saved, files);
    const blobs = new Map([...files.values()].map(({ digest, size }) => [digest, size]));
    const documents = new Map<string, unknown>();
    for (const [name, text] of texts)
      if (text[0] === 0x7b) documents.set(files.get(name)!.digest, parse(path, name, text));
    for (const [digest, bytes] of made) {
      blobs.set(digest, bytes.length);
      documents.set(digest, JSON.parse(bytes.toString('utf8')));
    }
    const names = new Map([...files].map(([name, { digest }]) => [name, digest]));
    return { index, blobs, documents, names, made };
  } catch (error) {
    if (error instanceof LayoutError) throw broken(path, error.message);
    throw error;
  }
}

/** Hands out the wanted blobs in the archive's order; each body must be read to its end. */
export async function readBlobs(
  path: string,
  wanted: ReadonlySet<string>,
  signal: AbortSignal,
  take: (blob: ArchiveBlob) => Promise<void>,
  names: ReadonlyMap<string, string> = new Map(),
): Promise<void> {
  const seen = new Set<string>();
  // It was checked: only one that grew meanwhile could hold more.
  await walk(path, signal, limits.imageArchiveBytes, async (name, size, body) => {
    const digest = digestOf(name) ?? names.get(name);
    if (!digest || !wanted.has(digest) || seen.has(digest)) return;
    seen.add(digest);
    await take({ digest, size, body });
  });
  if (seen.size < wanted.size) throw broken(path, 'it changed while it was read');
}

function digestOf(name: string): string | undefined {
  const match = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name);
  return match ? `sha256:${match[1]}` : undefined;
}

/** Reads a file to its end; answers its content when asked to keep it and it may be a document. */
async function hashed(
  body: AsyncIterable<Uint8Array>,
  keep: boolean,
): Promise<{ digest: string; head: Uint8Array; content?: Uint8Array }> {
  const hash = createHash('sha256');
  const chunks: Uint8Array[] = [];
  let head: Uint8Array | undefined;
  for await (const chunk of body) {
    hash.update(chunk);
    head ??= chunk.subarray(0, 4);
    if (keep && (head[0] === 0x7b || head[0] === 0x5b)) chunks.push(chunk);
  }
  const digest = `sha256:${hash.digest('hex')}`;
  const content = chunks.length > 0 ? { content: Buffer.concat(chunks) } : {};
  return { digest, head: Uint8Array.from(head ?? []), ...content };
}

async function whole(
  path: string,
  name: string,
  size: number,
  body: AsyncIterable<Uint8Array>,
): Promise<Uint8Array> {
  if (size > limits.imageDocumentBytes) throw broken(path, `${name} is too large`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function parse(path: string, name: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw broken(path, `${name} is not JSON`);
  }
}
