/**
 * One node's records, and what changed in them. Each entry carries the sequence of the set in which it became what it
 * is, so whoever holds a set can tell a third what changed since an earlier one: a log in order of sequence, the dead
 * entries among the living. It may be read in pieces while the set goes on changing: what changes moves to its end.
 */
import { limits } from '../limits.ts';
import { encodePlain } from '../wire/codec.ts';
import type { GoneRecord, RecordEntry, RecordKey, Records } from './model.ts';

export interface SetContent {
  readonly records: Records;
  readonly gone: readonly GoneRecord[];
  readonly floor: number;
}

export const emptyContent: SetContent = { records: {}, gone: [], floor: 0 };

/** A place in the log: everything of lower sequence, and of this one up to the key, lies before it. */
export type LogPlace = readonly [sequence: number, key: RecordKey];

/** One line of the log: without a value, the record is gone. */
export type LogLine =
  readonly [key: RecordKey, sequence: number, value: unknown] | readonly [key: RecordKey, sequence: number];

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The owner's next set: what is wished, under `sequence` where it is another than before. `undefined` when nothing is. */
export function revised(
  before: SetContent,
  wished: Readonly<Record<RecordKey, unknown>>,
  sequence: number,
): SetContent | undefined {
  const records: Record<RecordKey, RecordEntry> = {};
  let changed = false;
  for (const [key, value] of Object.entries(wished)) {
    const known = before.records[key];
    const same = known !== undefined && isSame(known.value, value);
    records[key] = same ? known : { sequence, value };
    changed ||= !same;
  }
  const gone = Object.keys(before.records)
    .filter((key) => !(key in records))
    .map((key) => ({ key, sequence }));
  if (!changed && gone.length === 0) return undefined;
  return { records, ...remembered([...before.gone, ...gone], records, before.floor) };
}

/** Both are what the codec makes of them: property for property, in order. */
const isSame = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);

/** The newest that are still gone; what is forgotten raises the floor. */
function remembered(
  gone: readonly GoneRecord[],
  records: Records,
  floor: number,
): Pick<SetContent, 'gone' | 'floor'> {
  const still = gone.filter(({ key, sequence }) => (records[key]?.sequence ?? 0) < sequence);
  const forgotten = still.slice(0, Math.max(0, still.length - limits.recordsGone));
  return {
    gone: still.slice(forgotten.length),
    floor: forgotten.reduce((highest, one) => Math.max(highest, one.sequence), floor),
  };
}

/**
 * The log behind a place, as far as `room` bytes go (at least one line); `more` when there is more. A reader that
 * begins from nothing (`whole`) is not told of what was gone before it began.
 */
export function logBehind(
  { records, gone }: SetContent,
  after: LogPlace,
  { whole, room }: { readonly whole: boolean; readonly room: number },
): { readonly lines: readonly LogLine[]; readonly more: boolean } {
  const living = Object.entries(records).map(([key, { sequence, value }]): LogLine => [key, sequence, value]);
  const dead = whole ? [] : gone.map(({ key, sequence }): LogLine => [key, sequence]);
  const behind = [...living, ...dead].filter(([key, sequence]) => comparePlaces([sequence, key], after) > 0);
  behind.sort((a, b) => comparePlaces([a[1], a[0]], [b[1], b[0]]));
  let left = room;
  const lines: LogLine[] = [];
  for (const line of behind) {
    left -= encodePlain(line, limits.recordsLineBytes).length;
    if (left < 0 && lines.length > 0) break;
    lines.push(line);
  }
  return { lines, more: lines.length < behind.length };
}

function comparePlaces(a: LogPlace, b: LogPlace): number {
  return a[0] - b[0] || byText(a[1], b[1]);
}

export const placeOf = (lines: readonly LogLine[]): LogPlace | undefined => {
  const last = lines.at(-1);
  return last && [last[1], last[0]];
};

/** The set with these lines of its log read. `undefined` when it grows beyond what one node may have. */
export function withLog(content: SetContent, lines: readonly LogLine[]): SetContent | undefined {
  const records: Record<RecordKey, RecordEntry> = { ...content.records };
  const gone = [...content.gone];
  for (const [key, sequence, value] of lines) {
    if ((records[key]?.sequence ?? 0) > sequence) continue;
    if (value !== undefined) records[key] = { sequence, value };
    else {
      delete records[key];
      gone.push({ key, sequence });
    }
  }
  if (Object.keys(records).length > limits.recordsPerNode) return undefined;
  return { records, ...remembered(gone, records, content.floor) };
}
