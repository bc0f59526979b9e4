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

/** Text that survives UTF-8: no half of a surrogate pair. */
export function isWellFormed(text: string): boolean {
  // Of ES2024: every Node that runs this has it, the types come with that target.
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}

/** Where in the value a walk is: words for errors are made of it when there is one. */
type Trail = (string | number)[];

function refuse(trail: Trail, what: string): never {
  const path = trail.reduce<string>((above, key) => {
    if (typeof key === 'number') return `${above}[${key}]`;
    return above === '' ? key : `${above}.${key}`;
  }, '');
  throw new CodecError('not-plain', `${path === '' ? 'the value' : path} ${what}`);
}

function checkText(text: string, trail: Trail): void {
  if (!isWellFormed(text)) refuse(trail, 'holds half of a surrogate pair');
}

/** As `check`. */
function checkObject(value: object, trail: Trail): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // Prototypes of other realms (test runners, workers) are not our Object.prototype, but have none above them.
  if (prototype !== null && prototype !== Object.prototype && Object.getPrototypeOf(prototype) !== null)
    refuse(trail, `is a ${value.constructor.name}, not plain data`);
  let clean = prototype === Object.prototype;
  for (const key of Object.keys(value)) {
    const item = (value as Readonly<Record<string, unknown>>)[key];
    trail.push(key);
    if (key === '__proto__') refuse(trail, 'cannot be a key');
    if (item !== undefined) checkText(key, trail);
    clean = item !== undefined && check(item, trail) && clean;
    trail.pop();
  }
  return clean;
}

/** As `check`. */
function checkArray(value: readonly unknown[], trail: Trail): boolean {
  let clean = Object.getPrototypeOf(value) === Array.prototype;
  for (let at = 0; at < value.length; at++) {
    trail.push(at);
    clean = check(value[at], trail) && clean;
    trail.pop();
  }
  return clean;
}

/** Throws on what is not plain; answers whether it can be packed as it is: nothing is to be left out, all is of this realm. */
function check(value: unknown, trail: Trail): boolean {
  if (trail.length > maxDepth) refuse(trail, `is nested more than ${maxDepth} deep`);
  if (value === null || typeof value === 'boolean') return true;
  if (typeof value === 'string') checkText(value, trail);
  else if (typeof value === 'number') {
    if (!Number.isFinite(value)) refuse(trail, `is ${value}`);
  } else if (typeof value !== 'object') refuse(trail, `is ${typeof value}`);
  else if (Array.isArray(value)) return checkArray(value, trail);
  else if (!(value instanceof Uint8Array)) return checkObject(value, trail);
  return true;
}

/** Of checked data, without absent properties, as JSON leaves them out. */
function cleaned(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return Array.from(value, cleaned);
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) if (item !== undefined) copy[key] = cleaned(item);
  return copy;
}

/**
 * Plain data as msgpack. Properties that are `undefined` are left out.
 * Throws `CodecError`: `not-plain` (a function, a class, NaN, a cycle, …), `too-large` (more than `maxBytes`).
 */
export function encodePlain(value: unknown, maxBytes: number): Uint8Array {
  const packed = packr.pack(check(value, []) ? value : cleaned(value));
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
