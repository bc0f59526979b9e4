/** Bytes made and unmade: cut, turned, overwritten with lengths that nobody has room for. */
import type { Random } from '../../../protocols/ports.ts';

export const below = (random: Random, bound: number): number => Math.floor(random.next() * bound);

export function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[below(random, items.length)]!;
}

export function anyBytes(random: Random, longest: number): Uint8Array {
  return Uint8Array.from({ length: below(random, longest + 1) }, () => below(random, 256));
}

/** msgpack's ways to claim much: byte strings, texts, arrays and maps of up to four billion. */
const claims: readonly (readonly number[])[] = [
  [0xc6, 0xff, 0xff, 0xff, 0xff],
  [0xdb, 0x7f, 0xff, 0xff, 0xff],
  [0xdd, 0xff, 0xff, 0xff, 0xff],
  [0xdf, 0xff, 0xff, 0xff, 0xff],
  [0xdc, 0xff, 0xff],
  [0xc5, 0x05, 0x3c],
  [0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91],
  [0xc1],
  [0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
];

/** Other bytes than before, by one to three changes. */
export function mutated(random: Random, bytes: Uint8Array): Uint8Array {
  let now: Uint8Array = Uint8Array.from(bytes);
  const changes = 1 + below(random, 3);
  for (let change = 0; change < changes; change++) now = changed(random, now);
  return Buffer.compare(now, bytes) === 0 ? Uint8Array.of(...bytes, 0) : now;
}

function changed(random: Random, bytes: Uint8Array): Uint8Array {
  const at = below(random, Math.max(1, bytes.length));
  switch (below(random, 6)) {
    case 0:
      return bytes.slice(0, at);
    case 1:
      return Uint8Array.of(...bytes, ...anyBytes(random, 40));
    case 2:
      return Uint8Array.of(...bytes.slice(0, at), ...pick(random, claims), ...bytes.slice(at));
    case 3:
      return Uint8Array.of(...bytes.slice(0, at), ...bytes.slice(at + 1 + below(random, 8)));
    case 4:
      bytes.set(pick(random, claims).slice(0, bytes.length - at), at);
      return bytes;
    default:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << below(random, 8));
      return bytes;
  }
}
