/**
 * Writes msgpack straight into one buffer, for what is sent thousands of times a second: arrays of whole numbers, texts
 * and byte strings, in the forms that `decodePlain` reads. Anything else is `encodePlain`'s.
 */
import { CodecError } from './codec.ts';

const encoder = new TextEncoder();

export class Writer {
  readonly #bytes: Uint8Array;
  #at = 0;

  /** `capacity`: the longest result, in bytes. */
  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** So many values follow. */
  array(length: number): void {
    if (length < 16) this.#put(0x90 | length);
    else {
      this.#put(0xdc);
      this.#number(length, 2);
    }
  }

  /** 0 to 2^32 - 1. */
  natural(value: number): void {
    if (value < 0x80) this.#put(value);
    else if (value < 0x100) {
      this.#put(0xcc);
      this.#put(value);
    } else if (value < 0x1_0000) {
      this.#put(0xcd);
      this.#number(value, 2);
    } else {
      this.#put(0xce);
      this.#number(value, 4);
    }
  }

  text(text: string): void {
    const plain = isPlain(text);
    const bytes = plain ? undefined : encoder.encode(text);
    const length = bytes?.length ?? text.length;
    if (length < 32) this.#put(0xa0 | length);
    else if (length < 0x100) {
      this.#put(0xd9);
      this.#put(length);
    } else {
      this.#put(0xda);
      this.#number(length, 2);
    }
    this.#reserve(length);
    if (bytes) this.#bytes.set(bytes, this.#at);
    else for (let at = 0; at < length; at++) this.#bytes[this.#at + at] = text.charCodeAt(at);
    this.#at += length;
  }

  byteString(bytes: Uint8Array): void {
    if (bytes.length < 0x100) {
      this.#put(0xc4);
      this.#put(bytes.length);
    } else {
      this.#put(0xc5);
      this.#number(bytes.length, 2);
    }
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** What was written, once; the next begins anew. */
  take(): Uint8Array {
    const written = this.#bytes.slice(0, this.#at);
    this.#at = 0;
    return written;
  }

  #put(byte: number): void {
    this.#reserve(1);
    this.#bytes[this.#at++] = byte;
  }

  #number(value: number, size: number): void {
    for (let shift = (size - 1) * 8; shift >= 0; shift -= 8) this.#put((value >>> shift) & 0xff);
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    this.#at = 0;
    throw new CodecError('too-large', `more than ${this.#bytes.length} bytes`);
  }
}

/** One byte a character. */
function isPlain(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}
