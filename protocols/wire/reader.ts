/**
 * Reads msgpack straight from bytes, for what comes thousands of times a second and from anywhere: arrays, whole numbers,
 * words and byte strings, as `Writer` and `encodePlain` write them. Who reads says what has to come; nothing else is looked
 * at, and nothing is allocated for a length that the bytes do not have. Anything else is `decodePlain`'s.
 */

/** Words come again and again: ids, hashes, addresses. One slot each, by a hash of their bytes. */
const slots = 2_048;
const words: (string | undefined)[] = Array.from({ length: slots });

export class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #bad = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Whether all bytes were read, and everything was as it should be. */
  good(): boolean {
    return !this.#bad && this.#at === this.#bytes.length;
  }

  /** Whether a byte string comes next. */
  atBytes(): boolean {
    const type = this.#bytes[this.#at];
    return type === 0xc4 || type === 0xc5;
  }

  /** How many values follow, which are not more than the bytes that are left; 0 when it is no array. */
  array(): number {
    const type = this.#byte();
    const length = type >= 0x90 && type < 0xa0 ? type & 0x0f : type === 0xdc ? this.#number(2) : -1;
    if (length >= 0 && this.#at + length <= this.#bytes.length) return length;
    return this.#refuse(0);
  }

  /** A whole number from 0 to `greatest`; 0 when it is none. */
  natural(greatest: number = 2 ** 32 - 1): number {
    const type = this.#byte();
    const value = type < 0x80 ? type : type >= 0xcc && type <= 0xce ? this.#number(1 << (type - 0xcc)) : -1;
    return value >= 0 && value <= greatest ? value : this.#refuse(0);
  }

  /** Letters, digits and signs of one byte each: what `Fields.word` takes. */
  word(longest: number, shortest = 1): string {
    const type = this.#byte();
    const length =
      type >= 0xa0 && type < 0xc0
        ? type & 0x1f
        : type === 0xd9 || type === 0xda
          ? this.#number(type - 0xd8)
          : -1;
    if (length < shortest || length > longest || this.#at + length > this.#bytes.length)
      return this.#refuse('');
    const from = this.#at;
    this.#at += length;
    return this.#visible(from, length) ?? this.#refuse('');
  }

  /** A window into what is read. */
  byteString(longest: number): Uint8Array {
    const type = this.#byte();
    const length = type === 0xc4 ? this.#number(1) : type === 0xc5 ? this.#number(2) : -1;
    const { buffer, byteOffset } = this.#bytes;
    if (length < 0 || length > longest || this.#at + length > this.#bytes.length)
      return this.#refuse(new Uint8Array(0));
    const window = new Uint8Array(buffer, byteOffset + this.#at, length);
    this.#at += length;
    return window;
  }

  #visible(from: number, length: number): string | undefined {
    const bytes = this.#bytes;
    let hash = length;
    for (let at = from; at < from + length; at++) {
      const byte = bytes[at]!;
      if (byte < 0x21 || byte > 0x7e) return undefined;
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    const slot = hash & (slots - 1);
    const known = words[slot];
    if (known !== undefined && isAt(known, bytes, from, length)) return known;
    const word = String.fromCharCode(...bytes.subarray(from, from + length));
    words[slot] = word;
    return word;
  }

  #byte(): number {
    if (this.#at < this.#bytes.length) return this.#bytes[this.#at++]!;
    // No value of ours begins with it.
    return this.#refuse(0xc1);
  }

  /** Big end first; -1 where the bytes end before. */
  #number(size: number): number {
    if (this.#at + size > this.#bytes.length) return this.#refuse(-1);
    let value = 0;
    for (let left = size; left > 0; left--) value = value * 256 + this.#bytes[this.#at++]!;
    return value;
  }

  #refuse<Value>(instead: Value): Value {
    this.#bad = true;
    return instead;
  }
}

function isAt(word: string, bytes: Uint8Array, from: number, length: number): boolean {
  if (word.length !== length) return false;
  for (let at = 0; at < length; at++) if (word.charCodeAt(at) !== bytes[from + at]) return false;
  return true;
}
