/**
 * Walks msgpack bytes before anything is allocated for them. Five bytes may claim an array of four billion
 * items; here every claimed length must fit into the bytes that are left, nesting is bounded, and only the
 * types that Hivemind writes are let through. It checks shape, not meaning, and decodes nothing.
 */

/** Deeper than any record we write; a recursive reader's stack stays far from its end. */
export const maxDepth = 64;

/** Fixed sizes by type byte: nil, false, true, float32/64, (u)int 8 to 32. 64-bit integers lose digits in JavaScript and are left out. */
const scalarBytes: Readonly<Record<number, number>> = {
  0xc0: 0,
  0xc2: 0,
  0xc3: 0,
  0xca: 4,
  0xcb: 8,
  0xcc: 1,
  0xcd: 2,
  0xce: 4,
  0xd0: 1,
  0xd1: 2,
  0xd2: 4,
};

/** Byte strings and texts: how many bytes their length takes. */
const lengthBytes: Readonly<Record<number, number>> = {
  0xc4: 1,
  0xc5: 2,
  0xc6: 4,
  0xd9: 1,
  0xda: 2,
  0xdb: 4,
  0xdc: 2,
  0xdd: 4,
  0xde: 2,
  0xdf: 4,
};

interface Token {
  readonly kind: 'scalar' | 'text' | 'array' | 'map';
  /** Items, or pairs of a map. */
  readonly items: number;
  readonly next: number;
}

function readLength(bytes: Uint8Array, offset: number, size: number): number {
  if (offset + size > bytes.length) return Number.POSITIVE_INFINITY;
  let length = 0;
  for (let i = 0; i < size; i++) length = length * 256 + bytes[offset + i]!;
  return length;
}

function sized(bytes: Uint8Array, offset: number, type: number): Token | undefined {
  const size = lengthBytes[type];
  if (size === undefined) return undefined;
  const length = readLength(bytes, offset, size);
  const next = offset + size;
  if (type >= 0xde) return { kind: 'map', items: length, next };
  if (type >= 0xdc) return { kind: 'array', items: length, next };
  return { kind: type >= 0xd9 ? 'text' : 'scalar', items: 0, next: next + length };
}

function token(bytes: Uint8Array, offset: number): Token | undefined {
  const type = bytes[offset];
  if (type === undefined) return undefined;
  const next = offset + 1;
  if (type < 0x80 || type >= 0xe0) return { kind: 'scalar', items: 0, next };
  if (type < 0x90) return { kind: 'map', items: type & 0x0f, next };
  if (type < 0xa0) return { kind: 'array', items: type & 0x0f, next };
  if (type < 0xc0) return { kind: 'text', items: 0, next: next + (type & 0x1f) };
  const scalar = scalarBytes[type];
  return scalar === undefined ? sized(bytes, next, type) : { kind: 'scalar', items: 0, next: next + scalar };
}

/** What is wrong with the bytes as one msgpack value of our types; `undefined` when nothing is. */
export function scan(bytes: Uint8Array): string | undefined {
  /** Tokens still to come at each level; negative counts a map's, so that its keys can be told from its values. */
  const open: { left: number; readonly map: boolean }[] = [{ left: 1, map: false }];
  let offset = 0;
  while (open.length > 0) {
    const level = open.at(-1)!;
    if (level.left === 0) {
      open.pop();
      continue;
    }
    const isKey = level.map && level.left % 2 === 0;
    level.left -= 1;
    const found = token(bytes, offset);
    if (!found) return `byte ${offset} is not the start of a value of ours`;
    if (isKey && found.kind !== 'text') return `byte ${offset} is a key that is not text`;
    const left = found.kind === 'map' ? found.items * 2 : found.items;
    if (found.next + left > bytes.length) return `byte ${offset} claims more than there is`;
    offset = found.next;
    if (found.kind === 'array' || found.kind === 'map') {
      if (open.length > maxDepth) return `byte ${offset} is nested more than ${maxDepth} deep`;
      open.push({ left, map: found.kind === 'map' });
    }
  }
  return offset === bytes.length ? undefined : `${bytes.length - offset} bytes are left over`;
}
