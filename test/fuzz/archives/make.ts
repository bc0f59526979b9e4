/** Archives that are larger than they look, lie about their sizes, nest, or want out: as bytes, made of a seed. */
import { gzipSync } from 'node:zlib';
import { pack, type Header } from 'tar-stream';
import type { Random } from '../../../protocols/ports.ts';
import { below, pick } from '../registry/mutate.ts';

const block = 512;
const megabyte = 1_048_576;

/** A header as no packer would write it: its size says anything. */
function header(name: string, size: string, type = '0'): Buffer {
  const bytes = Buffer.alloc(block);
  bytes.write(name.slice(0, 100), 0, 'latin1');
  bytes.write('0000644\0', 100);
  bytes.write('0000000\0', 108);
  bytes.write('0000000\0', 116);
  bytes.write(size, 124, 12, 'latin1');
  bytes.write('00000000000\0', 136);
  bytes.write(type, 156);
  bytes.write('ustar\u000000', 257, 'latin1');
  bytes.fill(0x20, 148, 156);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return bytes;
}

const octal = (size: number): string => `${size.toString(8).padStart(11, '0')}\0`;
const padded = (content: Buffer): Buffer =>
  Buffer.concat([content, Buffer.alloc((block - (content.length % block)) % block)]);

/** A pax record whose length is right, whatever it says. */
function pax(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  const record = Buffer.from(`${length}${rest}`);
  return Buffer.concat([header('pax', octal(record.length), 'x'), padded(record)]);
}

/** So many zeros take next to nothing: members of one gzip stand one after the other. */
const zeros = new Map<number, Buffer>();
function packedZeros(megabytes: number): Buffer {
  const one = zeros.get(8) ?? gzipSync(Buffer.alloc(8 * megabyte), { level: 9 });
  zeros.set(8, one);
  return Buffer.concat(Array.from({ length: Math.ceil(megabytes / 8) }, () => one));
}

const hex = (random: Random): string =>
  Array.from({ length: 64 }, () => below(random, 16).toString(16)).join('');
const blobName = (random: Random): string => `blobs/sha256/${hex(random)}`;
const nestedJson = (random: Random): Buffer => {
  const depth = pick(random, [100, 10_000, 1_000_000]);
  return Buffer.from(
    pick(random, ['['.repeat(depth), '{"a":'.repeat(depth), `{"a":${'[]'.padEnd(2, ',').repeat(1)}}`]),
  );
};

type Made = (random: Random) => Buffer;

const shapes: Readonly<Record<string, Made>> = {
  'a packed blob of zeros': (random) => {
    const megabytes = pick(random, [16, 64, 256]);
    return Buffer.concat([
      gzipSync(header(blobName(random), octal(megabytes * megabyte))),
      packedZeros(megabytes),
    ]);
  },
  'a size beyond what follows': (random) =>
    Buffer.concat([
      header(pick(random, ['index.json', blobName(random)]), octal(below(random, 2 ** 33))),
      Buffer.alloc(below(random, 5_000)),
    ]),
  'a size that is none': (random) =>
    Buffer.concat([
      header(
        blobName(random),
        pick(random, [
          '-0000000001\0',
          '77777777777\0',
          'zzzzzzzzzzz\0',
          '\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff',
          '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff',
        ]),
      ),
      Buffer.alloc(2 * block),
    ]),
  'a size that pax tells otherwise': (random) =>
    Buffer.concat([
      pax('size', pick(random, ['0', '-1', '1e9', 'NaN', '99999999999999999999', '34359738369', '512'])),
      header('index.json', octal(2)),
      padded(Buffer.from('{}')),
      Buffer.alloc(2 * block),
    ]),
  'very long names': (random) => {
    const parts: Buffer[] = [];
    for (let left = pick(random, [1, 4, 40]); left > 0; left--)
      parts.push(
        pax('path', `${left}${'n'.repeat(pick(random, [1_000, 100_000, 1_000_000]))}`),
        header('x', octal(0)),
      );
    return gzipSync(Buffer.concat([...parts, Buffer.alloc(2 * block)]), { level: 1 });
  },
  'a header larger than any name': (random) =>
    Buffer.concat([
      gzipSync(
        header('long', octal(pick(random, [5, 100, 8_000]) * megabyte), pick(random, ['L', 'K', 'x', 'g'])),
      ),
      packedZeros(64),
    ]),
  'many documents': (random) => {
    const document = Buffer.alloc(pick(random, [10_000, 1_000_000, 4_194_304]), ' ');
    document.write('{"a":[');
    document.write(']}', document.length - 2);
    const one = gzipSync(padded(document), { level: 1 });
    const entry = () => [gzipSync(header(`d${hex(random)}.json`, octal(document.length))), one];
    return Buffer.concat(Array.from({ length: pick(random, [3, 10, 40]) }, entry).flat());
  },
  'many entries': (random) => {
    const type = pick(random, ['0', '5', '2', '6']);
    const entries = Buffer.concat(Array.from({ length: 1_000 }, (_, at) => header(`e${at}`, octal(0), type)));
    return Buffer.concat(
      Array.from({ length: pick(random, [1, 10, 60]) }, () => gzipSync(entries, { level: 1 })),
    );
  },
  'documents without an end': (random) => {
    const document = nestedJson(random);
    const name = pick(random, ['index.json', 'manifest.json']);
    return gzipSync(
      Buffer.concat([header(name, octal(document.length)), padded(document), Buffer.alloc(2 * block)]),
      { level: 1 },
    );
  },
  'packed twice': (random) => gzipSync(gzipSync(Buffer.alloc(below(random, megabyte)))),
  'packed by another program': (random) =>
    Buffer.concat([
      Buffer.from(pick(random, ['28b52ffd', 'fd377a585a00', '425a6839', '504b0304']), 'hex'),
      Buffer.alloc(below(random, 10_000), 7),
    ]),
};

export const shapeNames = Object.keys(shapes);

/** One shape, sometimes cut off or with a byte changed. */
export function madeArchive(random: Random): { readonly shape: string; readonly bytes: Buffer } {
  const shape = pick(random, shapeNames);
  const bytes = Buffer.from(shapes[shape]!(random));
  const way = random.next();
  if (way < 0.1) return { shape, bytes: bytes.subarray(0, below(random, bytes.length)) };
  if (way < 0.2 && bytes.length > 0) bytes[below(random, bytes.length)] = below(random, 256);
  return { shape, bytes };
}

const strange = ['..', '.', '', 'a\u0301', '\u202Etxt', '\u200B', '🐝', 'n'.repeat(300)];
const few = ['a', 'b', 'l', 'secret'];
const path = (random: Random): string => {
  const step = () => pick(random, random.next() < 0.95 ? few : strange);
  const parts = Array.from({ length: 1 + below(random, 3) }, step);
  return `${random.next() < 0.02 ? '/' : ''}${parts.join('/')}`;
};
const targets = [
  '..',
  '../..',
  '/',
  '/etc',
  '../../secret',
  'a',
  'l',
  '.',
  'a/../../..',
  '\u0000',
  '/proc/self/root',
];
const plain = ['file', 'file', 'directory', 'directory', 'symlink', 'symlink', 'link'] as const;
const types = [...plain, ...plain, ...plain, ...plain, 'fifo', 'block-device'] as const;

/** Files, folders, links and stranger things with few names, so that they meet: what `cp` may be given. */
export async function madeFiles(random: Random): Promise<Buffer> {
  const tar = pack();
  for (let left = 1 + below(random, 8); left > 0; left--) {
    const type = pick(random, types);
    const entry: Partial<Header> & { name: string } = {
      name: path(random),
      type,
      mode: below(random, 0o10000),
    };
    if (type === 'symlink' || type === 'link') entry.linkname = pick(random, [...targets, path(random)]);
    if (type === 'file') tar.entry(entry, 'x'.repeat(below(random, 2_000)));
    else tar.entry(entry);
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
