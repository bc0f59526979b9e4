/**
 * The cipher of simulated members: a checksum under the life's key, and no secrecy. Whatever the simulation does to a
 * datagram (another key, another label, bits changed under way) it finds as the real one does, at a twentieth of the
 * cost. It withstands no attacker: the real one is tried against those, and in a share of the seeds (`cipherOf`).
 */
import { aesGcm } from '../../../transport/secure/aes-gcm.ts';
import {
  headerBytes,
  tagBytes,
  type DatagramCipher,
  type LifeKey,
} from '../../../transport/secure/datagram-cipher.ts';

/** One seed of so many runs with the cipher of real clusters. */
const realEvery = 8;

/** For all nodes of one world. */
export function cipherOf(seed: number): DatagramCipher {
  return seed % realEvery === 0 ? aesGcm : simulatedCipher;
}

export const simulatedCipher: DatagramCipher = {
  keyOf: (secret, label, life) => {
    const text = Buffer.from(label);
    // Lengths keep the three apart: no end of one is taken for the beginning of the next.
    const lengths = Buffer.of(secret.length, text.length & 255, life.length);
    const whole = Buffer.concat([lengths, secret, text, life]);
    sum(whole, whole.length, 0x811c_9dc5, 0x2545_f491);
    return new ChecksumKey(sums[0]!, sums[1]!);
  },
};

class ChecksumKey implements LifeKey {
  readonly #first: number;
  readonly #second: number;

  constructor(first: number, second: number) {
    this.#first = first;
    this.#second = second;
  }

  seal(datagram: Buffer): void {
    const end = datagram.length - tagBytes;
    sum(datagram, end, this.#first, this.#second);
    for (let at = 0; at < tagBytes; at++) datagram[end + at] = tagByte(at);
  }

  open(datagram: Buffer): Buffer | undefined {
    const end = datagram.length - tagBytes;
    sum(datagram, end, this.#first, this.#second);
    for (let at = 0; at < tagBytes; at++) if (datagram[end + at] !== tagByte(at)) return undefined;
    return datagram.subarray(headerBytes, end);
  }
}

/** What `sum` found last. */
const sums = new Int32Array(2);

/** Of 32 bits each (FNV-1a). Every step is one to one, so one byte that differs is always seen. */
function sum(bytes: Uint8Array, end: number, start: number, other: number): void {
  let [first, second] = [start | 0, other | 0];
  for (let at = 0; at < end; at++) {
    const byte = bytes[at]!;
    first = Math.imul(first ^ byte, 0x0100_0193);
    second = Math.imul(second ^ byte, 0x0100_0193);
  }
  sums[0] = first;
  sums[1] = second;
}

/** The first eight bytes are the sums, the others their complement. */
function tagByte(at: number): number {
  const byte = (sums[(at >>> 2) & 1]! >>> (8 * (at & 3))) & 255;
  return at < 8 ? byte : byte ^ 255;
}
