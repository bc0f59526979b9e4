/**
 * The frames of a connection between two nodes, each one msgpack array that stands for itself. A message's body is a byte
 * string inside of it: who it is from, what it is and how long it is are judged before a byte of it is decoded.
 *
 * The first frame is the dialler's `hello`, the second the other end's `welcome` or `bye`; both are understood by every
 * version (fields may be added at their end), all others are those of the version that was agreed on.
 */
import type { Reason } from '../errors.ts';
import { decodePlain, encodePlain } from './codec.ts';
import { Fields } from './fields.ts';
import { reasonTold, tellReason } from './told-reason.ts';

/** Lowest and highest version of the protocol on streams that this program speaks. */
export const streamVersions: Versions = [1, 1];

/** Lowest and highest. */
export type Versions = readonly [number, number];

/** What stands around a body, at most. */
export const frameOverheadBytes = 1_024;

/** A refusal: two texts and 32 entries, at four bytes a character at most. */
const reasonBytes = 65_536;
const longestType = 64;
const longestLife = 32;

export interface Hello {
  readonly kind: 'hello';
  readonly versions: Versions;
  readonly boot: number;
  /** A word for one life of the process; a boot may be counted twice. */
  readonly life: string;
  /** Counts the dialler's attempts to reach this peer in this life, so that the later of two is known. */
  readonly dial: number;
  /** Wall time of the sender, ms since 1970. */
  readonly now: number;
}

export interface Welcome {
  readonly kind: 'welcome';
  readonly version: number;
  readonly boot: number;
  readonly life: string;
  /** The latest attempt of the end that was dialled: it is settled by this connection. */
  readonly dial: number;
  readonly now: number;
}

/** `duplicate`: another connection between the two is, or will be, the one. */
export interface Bye {
  readonly kind: 'bye';
  readonly why: 'closing' | 'duplicate' | 'refused';
  readonly because: Reason;
}

export type Frame =
  | Hello
  | Welcome
  | Bye
  | { readonly kind: 'request'; readonly id: number; readonly type: string; readonly body: Uint8Array }
  | { readonly kind: 'answer'; readonly id: number; readonly body: Uint8Array }
  | { readonly kind: 'refusal'; readonly id: number; readonly because: Reason }
  | { readonly kind: 'tell'; readonly type: string; readonly body: Uint8Array }
  /** Nobody waits for the answer any more. */
  | { readonly kind: 'cancel'; readonly id: number }
  | { readonly kind: 'ping'; readonly count: number }
  | { readonly kind: 'pong'; readonly count: number };

/** Their places are their numbers on the wire. */
const kinds = [
  'hello',
  'welcome',
  'bye',
  'request',
  'answer',
  'refusal',
  'tell',
  'cancel',
  'ping',
  'pong',
] as const satisfies readonly Frame['kind'][];

const endings = ['closing', 'duplicate', 'refused'] as const;

export function encodeFrame(frame: Frame): Uint8Array {
  const body = 'body' in frame ? frame.body.length : 0;
  return encodePlain([kinds.indexOf(frame.kind), ...partsOf(frame)], body + reasonBytes);
}

function partsOf(frame: Frame): readonly unknown[] {
  switch (frame.kind) {
    case 'hello':
      return [...frame.versions, frame.boot, frame.life, frame.dial, frame.now];
    case 'welcome':
      return [frame.version, frame.boot, frame.life, frame.dial, frame.now];
    case 'bye':
      return [endings.indexOf(frame.why), tellReason(frame.because)];
    case 'request':
      return [frame.id, frame.type, frame.body];
    case 'answer':
      return [frame.id, frame.body];
    case 'refusal':
      return [frame.id, tellReason(frame.because)];
    case 'tell':
      return [frame.type, frame.body];
    case 'cancel':
      return [frame.id];
    case 'ping':
    case 'pong':
      return [frame.count];
  }
}

/** The frame of bytes from anywhere; `undefined` when they are none, or longer than `maxBytes`. Never throws. */
export function decodeFrame(bytes: Uint8Array, maxBytes: number): Frame | undefined {
  let value: unknown;
  try {
    value = decodePlain(bytes, maxBytes);
  } catch {
    return undefined;
  }
  const fields = Fields.of(value);
  const kind = fields.one(kinds);
  const frame = kind === undefined ? undefined : read(kind, fields, maxBytes);
  return fields.good() ? frame : undefined;
}

function read(kind: Frame['kind'], fields: Fields, maxBytes: number): Frame | undefined {
  switch (kind) {
    case 'hello': {
      const hello = {
        kind,
        versions: [fields.natural(), fields.natural()] as const,
        boot: fields.natural(),
        life: fields.text(longestLife),
        dial: fields.natural(),
        now: fields.natural(Number.MAX_SAFE_INTEGER),
      };
      fields.rest();
      return hello.versions[0] <= hello.versions[1] ? hello : undefined;
    }
    case 'welcome': {
      const welcome = {
        kind,
        version: fields.natural(),
        boot: fields.natural(),
        life: fields.text(longestLife),
        dial: fields.natural(),
        now: fields.natural(Number.MAX_SAFE_INTEGER),
      };
      fields.rest();
      return welcome;
    }
    case 'bye': {
      const why = fields.one(endings);
      const because = reasonTold(fields.rest()[0]);
      return because && why ? { kind, why, because } : undefined;
    }
    case 'request':
      return { kind, id: fields.natural(), type: fields.text(longestType), body: fields.bytes(maxBytes, 0) };
    case 'answer':
      return { kind, id: fields.natural(), body: fields.bytes(maxBytes, 0) };
    case 'refusal': {
      const id = fields.natural();
      const because = reasonTold(fields.rest()[0]);
      return because ? { kind, id, because } : undefined;
    }
    case 'tell':
      return { kind, type: fields.text(longestType), body: fields.bytes(maxBytes, 0) };
    case 'cancel':
      return { kind, id: fields.natural() };
    case 'ping':
    case 'pong':
      return { kind, count: fields.natural() };
  }
}

/** The highest version that both speak. */
export function commonVersion(ours: Versions, theirs: Versions): number | undefined {
  const highest = Math.min(ours[1], theirs[1]);
  return highest >= Math.max(ours[0], theirs[0]) ? highest : undefined;
}
