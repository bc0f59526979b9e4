/**
 * The one msgpack codec: for the store's values, the journal's records and the wire. Plain data only, so that what
 * comes out equals what went in and shares nothing with it; and every size is checked before memory is spent on it.
 * Not a schema: what a message means is checked by its room.
 */
import { Packr } from 'msgpackr';
import { maxDepth, scan } from './scan.ts';

/** `problem` is for programs, the message for people; callers turn it into a coded error of their own. */
export class CodecError extends Error {
  readonly problem: 'too-large' | 'not-plain' | 'malformed';
  constructor(problem: CodecError['problem'], message: string) {
    super(message);
    this.name = 'CodecError';
    this.problem = problem;
  }
}

const packr = new Packr({ useRecords: false, copyBuffers: true, moreTypes: false });

const loneSurrogate = /\p{Surrogate}/u;

/** Text that survives UTF-8: no half of a surrogate pair. */
export function isWellFormed(text: string): boolean {
  return !loneSurrogate.test(text);
}

function refuse(path: string, what: string): never {
  throw new CodecError('not-plain', `${path === '' ? 'the value' : path} ${what}`);
}

function plainText(text: string, path: string): string {
  return isWellFormed(text) ? text : refuse(path, 'holds half of a surrogate pair');
}

function plainObject(value: object, path: string, depth: number): Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  // Prototypes of other realms (test runners, workers) are not our Object.prototype, but have none above them.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    return refuse(path, `is a ${value.constructor.name}, not plain data`);
  }
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    const at = path === '' ? key : `${path}.${key}`;
    if (key === '__proto__') refuse(at, 'cannot be a key');
    if (item !== undefined) copy[plainText(key, at)] = plain(item, at, depth + 1);
  }
  return copy;
}

/** The value with absent properties left out, as JSON leaves them out; throws on what is not plain. */
function plain(value: unknown, path: string, depth: number): unknown {
  if (depth > maxDepth) return refuse(path, `is nested more than ${maxDepth} deep`);
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'string') return plainText(value, path);
  if (typeof value === 'number') return Number.isFinite(value) ? value : refuse(path, `is ${value}`);
  if (typeof value !== 'object') return refuse(path, `is ${typeof value}`);
  if (value instanceof Uint8Array) return value;
  if (Array.isArray(value)) {
    return Array.from(value, (item, index) => plain(item, `${path}[${index}]`, depth + 1));
  }
  return plainObject(value, path, depth);
}

/**
 * Plain data as msgpack. Properties that are `undefined` are left out.
 * Throws `CodecError`: `not-plain` (a function, a class, NaN, a cycle, …), `too-large` (more than `maxBytes`).
 */
export function encodePlain(value: unknown, maxBytes: number): Uint8Array {
  const packed = packr.pack(plain(value, '', 0));
  if (packed.length > maxBytes) {
    throw new CodecError('too-large', `${packed.length} bytes are more than ${maxBytes}`);
  }
  // A copy: msgpackr answers a window into a buffer of several kilobytes that it keeps for the next one.
  return Uint8Array.prototype.slice.call(new Uint8Array(packed.buffer, packed.byteOffset, packed.length));
}

/** The value of bytes from anywhere, also from an enemy. Throws `CodecError`: `too-large`, `malformed`. */
export function decodePlain(bytes: Uint8Array, maxBytes: number): unknown {
  if (bytes.length > maxBytes) {
    throw new CodecError('too-large', `${bytes.length} bytes are more than ${maxBytes}`);
  }
  // msgpackr gives byte strings the type of its source: always the plain one.
  const source = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const problem = scan(source);
  if (problem !== undefined) throw new CodecError('malformed', problem);
  return packr.unpack(source) as unknown;
}
