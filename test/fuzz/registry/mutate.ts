/** What registries and archives say, made wrong: documents by their tree, texts by their characters, archives by their files. */
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import type { Random } from '../../../protocols/ports.ts';

export const below = (random: Random, end: number): number => Math.floor(random.next() * end);
export const pick = <Item>(random: Random, items: readonly Item[]): Item =>
  items[below(random, items.length)]!;

const digest = `sha256:${'a'.repeat(64)}`;
const values: readonly unknown[] = [
  ...[null, true, 0, -1, 1.5, 1e308, 2 ** 53, 4_194_305, '', 'linux', 'unknown', '../../etc/passwd', '/'],
  ...[
    [],
    {},
    [[]],
    [null],
    { os: 1 },
    digest,
    'sha256:',
    digest.toUpperCase(),
    'sha512:00',
    '\u0000',
    '\uD800',
  ],
  ...['application/vnd.oci.image.index.v1+json', 'application/vnd.oci.image.layer.v1.tar+zstd', 'text/html'],
  ...[Array.from({ length: 300 }, () => ({ mediaType: 'x', digest, size: 1 })), 'x'.repeat(5_000)],
];
const keys = 'manifests layers config digest size mediaType platform os architecture rootfs diff_ids fsLayers'
  .concat(' annotations __proto__ constructor toString Config RepoTags Layers token access_token auths auth')
  .split(' ');

/** A copy with one to four of its parts changed. */
export function mutatedTree(tree: unknown, random: Random): unknown {
  const root = { root: structuredClone(tree) };
  for (let left = 1 + below(random, 4); left > 0; left--) change(root, random);
  return root.root;
}

function change(root: object, random: Random): void {
  let at: Record<string, unknown> = root as Record<string, unknown>;
  let key = 'root';
  while (typeof at[key] === 'object' && at[key] !== null && random.next() < 0.8) {
    const next = at[key] as Record<string, unknown>;
    const inner = Object.keys(next);
    if (inner.length === 0) break;
    at = next;
    key = pick(random, inner);
  }
  const way = below(random, 4);
  if (way === 0 && at !== root) delete at[key];
  else if (way === 1)
    Object.defineProperty(at, pick(random, keys), described(structuredClone(pick(random, values))));
  else if (way === 2 && Array.isArray(at)) at.push(structuredClone(at[Number(key)] as unknown));
  else at[key] = structuredClone(pick(random, values));
}

/** Also of `__proto__`, as JSON.parse makes it. */
const described = (value: unknown) => ({ value, enumerable: true, writable: true, configurable: true });

/** One to six characters or stretches changed. */
export function mutatedText(text: string, random: Random): string {
  let now = text;
  for (let left = 1 + below(random, 6); left > 0; left--) {
    const at = below(random, now.length + 1);
    const put = pick(random, [
      '',
      '"',
      '\\',
      ',',
      '=',
      ' ',
      '\r\nx: y',
      '\u0000',
      ';',
      '-',
      '99999999999999999999',
      'Bearer realm=',
      'http://user:pass@h/',
      '%',
      'é',
      ','.repeat(500),
      '"'.repeat(200),
      String.fromCharCode(below(random, 0xffff)),
    ]);
    now = now.slice(0, at) + put + now.slice(at + below(random, 8));
  }
  return now;
}

export interface TarFile {
  name: string;
  readonly type?: 'symlink' | 'link';
  readonly linkname?: string;
  body: Buffer;
}

const names = [
  '../../etc/passwd',
  '/etc/passwd',
  'a/../../b',
  './/index.json',
  'blobs/sha256/..',
  '',
  'x'.repeat(300),
];

/** The archive's bytes with its files moved, renamed, doubled, cut, turned to links, or its bytes spoiled. */
export async function mutatedTar(files: readonly TarFile[], random: Random): Promise<Buffer> {
  const now = files.map((file) => ({ ...file }));
  for (let left = below(random, 3); left > 0 && now.length > 0; left--) {
    const at = below(random, now.length);
    const file = now[at]!;
    const way = below(random, 7);
    if (way === 0) now.splice(at, 1);
    else if (way === 1) now.splice(below(random, now.length), 0, { ...file });
    else if (way === 2) file.name = pick(random, [...names, ...now.map(({ name }) => name)]);
    else if (way === 3) Object.assign(file, { body: file.body.subarray(0, below(random, file.body.length)) });
    else if (way === 4)
      now.push({
        name: file.name,
        type: pick(random, ['symlink', 'link'] as const),
        linkname: pick(random, names),
        body: Buffer.alloc(0),
      });
    else if (way === 5) Object.assign(file, { body: Buffer.alloc(below(random, 100_000)) });
    else Object.assign(file, { body: jsonMutated(file.body, random) });
  }
  const bytes = await tarOf(now);
  const spoil = below(random, 4);
  if (spoil === 0) bytes[below(random, bytes.length)] = below(random, 256);
  if (spoil === 1) return bytes.subarray(0, below(random, bytes.length));
  return random.next() < 0.2 ? gzipSync(bytes, { level: 1 }) : bytes;
}

function jsonMutated(body: Buffer, random: Random): Buffer {
  try {
    return Buffer.from(JSON.stringify(mutatedTree(JSON.parse(body.toString('utf8')), random)));
  } catch {
    return Buffer.from(mutatedText(body.subarray(0, 2_000).toString('latin1'), random), 'latin1');
  }
}

async function tarOf(files: readonly TarFile[]): Promise<Buffer> {
  const tar = pack();
  for (const { body, ...header } of files) {
    if (header.type === undefined) tar.entry({ ...header, size: body.length }, body);
    else tar.entry(header);
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
