/**
 * Content hashes for "is it the same?": spec hashes, trace hashes. MurmurHash3 x86 128 bit: fast in plain
 * JavaScript, the same everywhere. Not cryptographic: never for secrets, signatures or anything an enemy chooses.
 */

const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));

function finish(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** Lane constants: two multipliers, the rotation before, the rotation after, the addend. */
const C = [0x239b961b, 0xab0e9789, 0x38b34ae5, 0xa1e38b93] as const;
const KEY_ROTATE = [15, 16, 17, 18] as const;
const LANE_ROTATE = [19, 17, 15, 13] as const;
const LANE_ADD = [0x561ccd1b, 0x0bcaa747, 0x96cd1c35, 0x32ac3b17] as const;

const mixKey = (word: number, lane: number): number =>
  Math.imul(rotate(Math.imul(word, C[lane]!), KEY_ROTATE[lane]!), C[(lane + 1) % 4]!);

/** The hash of bytes as 32 lower-case hexadecimal digits. */
export function hashBytes(bytes: Uint8Array): string {
  const h: [number, number, number, number] = [0, 0, 0, 0];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const whole = bytes.length - (bytes.length % 16);
  for (let offset = 0; offset < whole; offset += 16) {
    for (let lane = 0; lane < 4; lane++) {
      const mixed = rotate(
        h[lane]! ^ mixKey(view.getUint32(offset + lane * 4, true), lane),
        LANE_ROTATE[lane]!,
      );
      h[lane] = (Math.imul((mixed + h[(lane + 1) % 4]!) | 0, 5) + LANE_ADD[lane]!) | 0;
    }
  }
  for (let lane = 3; lane >= 0; lane--) {
    let word = 0;
    for (let i = Math.min(bytes.length - whole, lane * 4 + 4) - 1; i >= lane * 4; i--) {
      word = (word << 8) | bytes[whole + i]!;
    }
    if (bytes.length - whole > lane * 4) h[lane]! ^= mixKey(word, lane);
  }
  for (let lane = 0; lane < 4; lane++) h[lane]! ^= bytes.length;
  spread(h);
  for (let lane = 0; lane < 4; lane++) h[lane] = finish(h[lane]!);
  spread(h);
  return h.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

function spread(h: [number, number, number, number]): void {
  h[0] = (h[0] + h[1] + h[2] + h[3]) | 0;
  for (let lane = 1; lane < 4; lane++) h[lane] = (h[lane]! + h[0]) | 0;
}

/** The hash of a text's UTF-8 bytes. */
export function hashText(text: string): string {
  return hashBytes(new TextEncoder().encode(text));
}

/** JSON with sorted keys and without `undefined`: equal values give equal text. Plain data only. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`;
}

/** Equal plain values, equal hash: 32 hexadecimal digits. */
export function hashValue(value: unknown): string {
  return hashText(canonicalJson(value));
}

/** What a change must have seen, as a word: half of an ETag, and compared once more where the change is decided. */
export function wishTag(wished: unknown): string {
  return hashValue(wished).slice(0, 16);
}
