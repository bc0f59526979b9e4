/**
 * What nodes ask each other about records, and the answers: `records.pull` (one node's, or what changed in them) and
 * `records.compare` (whether both have the same of all). Bodies come from other machines: all is looked at.
 */
import { hashText } from '../hash.ts';
import { limits } from '../limits.ts';
import type { NodeId } from '../membership/model.ts';
import { Fields } from '../wire/fields.ts';
import { packDigest, unpackDigest, type RecordDigest, type SetVersion } from './digest.ts';
import type { HeldSet } from './model.ts';
import { isRecordKey } from './read.ts';
import { logBehind, type LogLine, type LogPlace } from './record-set.ts';

/** "I have this version of them (sequence 0: none), and of what followed all up to that place." */
export interface PullRequest extends SetVersion {
  readonly id: NodeId;
  readonly after?: LogPlace;
}

export interface PullPiece extends SetVersion {
  /** The log begins from nothing: what is in no line is not there. */
  readonly whole: boolean;
  readonly more: boolean;
  readonly head: Uint8Array;
  readonly lines: readonly LogLine[];
}

const headBytes = 1_024;
const version = 1;

export const packRequest = ({ id, boot, sequence, after }: PullRequest): readonly unknown[] => [
  version,
  id,
  boot,
  sequence,
  ...(after ?? []),
];

export function unpackRequest(body: unknown): PullRequest | undefined {
  const continued = Array.isArray(body) && body.length === 6;
  const fields = Fields.of(body);
  const known = fields.natural() === version;
  const request = { id: fields.text(63), boot: fields.natural(), sequence: fields.natural() };
  const after = continued ? ([fields.natural(), fields.text(300)] as const) : undefined;
  if (!fields.good() || !known) return undefined;
  return { ...request, ...(after ? { after } : {}) };
}

/** `[]` when they are not here. */
export function answerPull(set: HeldSet | undefined, request: PullRequest): readonly unknown[] {
  if (!set) return [];
  const { boot, sequence, head, floor } = set;
  const since = request.sequence;
  // Who asks for the version that it has, has another of that name.
  const known = request.boot === boot && since >= floor && since > 0 && since < sequence;
  const begin: LogPlace = known ? [since, lastKey] : [0, ''];
  const { lines, more } = logBehind(set, request.after ?? begin, {
    whole: !known && request.after === undefined,
    room: limits.recordsPieceBytes,
  });
  return [boot, sequence, !known, more, head, lines];
}

/** Behind every key of a sequence. */
const lastKey = '\uFFFF';

/** `none`: the peer does not have them. `undefined`: what it says is no answer. */
export function unpackPiece(body: unknown): PullPiece | 'none' | undefined {
  if (Array.isArray(body) && body.length === 0) return 'none';
  const fields = Fields.of(body);
  const set = { boot: fields.natural(), sequence: fields.natural() };
  const [whole, more] = [fields.flag(), fields.flag()];
  const head = fields.bytes(headBytes, 1);
  const [lines] = fields.rest();
  if (!fields.good() || !Array.isArray(lines)) return undefined;
  if (!lines.every((line) => isLine(line, set.sequence)) || (more && lines.length === 0)) return undefined;
  return { ...set, whole, more, head, lines: lines as readonly LogLine[] };
}

function isLine(line: unknown, newest: number): boolean {
  if (!Array.isArray(line) || line.length < 2 || line.length > 3) return false;
  const [key, sequence, value] = line as readonly unknown[];
  const good = Number.isInteger(sequence) && (sequence as number) > 0 && (sequence as number) <= newest;
  return isRecordKey(key) && good && (line.length === 2 || (typeof value === 'object' && value !== null));
}

/** One word for everything held: equal when both have the same versions of the same nodes. */
export function rootOf(digests: readonly RecordDigest[]): string {
  const lines = digests.map((digest) => packDigest(digest).join(' ')).sort();
  return hashText(lines.join('\n')).slice(0, 16);
}

export const packCompare = (digests: readonly RecordDigest[]): readonly unknown[] => [
  version,
  rootOf(digests),
];

/** With its own digest first; the others only when something differs. */
export function answerCompare(
  own: RecordDigest | undefined,
  digests: readonly RecordDigest[],
  body: unknown,
): readonly unknown[] | undefined {
  const fields = Fields.of(body);
  const known = fields.natural() === version;
  const root = fields.text(16, 16);
  if (!fields.good() || !known) return undefined;
  const others = rootOf(digests) === root ? [] : digests.filter(({ id }) => id !== own?.id);
  return [own ? packDigest(own) : null, ...others.map(packDigest)];
}

export interface Comparison {
  /** What the peer has of its own. */
  readonly own?: RecordDigest;
  readonly others: readonly RecordDigest[];
}

export function unpackComparison(body: unknown): Comparison | undefined {
  if (!Array.isArray(body) || body.length > limits.recordsNodes + 1) return undefined;
  const [first, ...rest] = body as readonly unknown[];
  const own = first === null ? undefined : unpackDigest(first);
  const others = rest.map(unpackDigest);
  if ((first !== null && !own) || others.includes(undefined)) return undefined;
  return { ...(own ? { own } : {}), others: others as readonly RecordDigest[] };
}
