/**
 * When bytes of a log were written. The shim appends raw bytes to two files a run, with nobody's help; beside them
 * stands a `stamps` file: each line says that up to `end` everything of a stream was there at `at`. Bytes that came
 * while no daemon watched get a range of time instead of a false instant.
 */
import { appendFile, readFile, rename, writeFile } from 'node:fs/promises';

export type Stream = 'stdout' | 'stderr';

export interface Stamp {
  readonly stream: Stream;
  /** Offset after the last byte it speaks of. */
  readonly end: number;
  /** ms since 1970. */
  readonly at: number;
  /** Set when nobody watched: the bytes came between `at` and `untilAt`. */
  readonly untilAt?: number;
  /** Set on a mark of rotation: bytes before `end` are gone. */
  readonly dropped?: true;
}

const letters = { stdout: 'o', stderr: 'e' } as const;

export function formatStamp(stamp: Stamp): string {
  const range = stamp.untilAt === undefined ? '' : ` ${stamp.untilAt}`;
  return `${stamp.dropped ? letters[stamp.stream].toUpperCase() : letters[stamp.stream]} ${stamp.end} ${stamp.at}${range}\n`;
}

/** Lines that are not whole stamps (a crash in the middle of an append) are skipped. */
export function parseStamps(text: string): Stamp[] {
  const stamps: Stamp[] = [];
  for (const line of text.split('\n')) {
    const match = /^([oeOE]) (\d+) (\d+)(?: (\d+))?$/.exec(line);
    if (!match) continue;
    const [, letter, end, at, untilAt] = match;
    stamps.push({
      stream: letter!.toLowerCase() === 'o' ? 'stdout' : 'stderr',
      end: Number(end),
      at: Number(at),
      ...(untilAt === undefined ? {} : { untilAt: Number(untilAt) }),
      ...(letter === letter!.toUpperCase() ? { dropped: true as const } : {}),
    });
  }
  return stamps;
}

export async function readStamps(path: string): Promise<Stamp[]> {
  try {
    return parseStamps(await readFile(path, 'utf8'));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw thrown;
  }
}

export async function appendStamp(path: string, stamp: Stamp): Promise<void> {
  await appendFile(path, formatStamp(stamp), { mode: 0o600 });
}

/** All of them or, after a crash in the middle, the ones before. */
export async function rewriteStamps(path: string, stamps: readonly Stamp[]): Promise<void> {
  await writeFile(`${path}.new`, stamps.map(formatStamp).join(''), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/**
 * Half as many: of each two neighbours of a stream one is left, with the range of time of both. The newest `exact`
 * stay as they are. Marks of rotation stay.
 */
export function thinStamps(stamps: readonly Stamp[], exact: number): Stamp[] {
  const thinned: Stamp[] = [];
  const open: Partial<Record<Stream, Stamp>> = {};
  const old = stamps.slice(0, Math.max(0, stamps.length - exact));
  for (const stamp of old) {
    const before = open[stamp.stream];
    if (stamp.dropped) thinned.push(stamp);
    else if (before === undefined) open[stamp.stream] = stamp;
    else {
      delete open[stamp.stream];
      thinned.push({ ...before, end: stamp.end, untilAt: stamp.untilAt ?? stamp.at });
    }
  }
  // Each stream's stamps stay in order; between streams the order says nothing.
  return [...thinned, ...Object.values(open), ...stamps.slice(old.length)];
}

/** First offset of a stream that is still there. */
export function keptFrom(stamps: readonly Stamp[], stream: Stream): number {
  return stamps.reduce(
    (kept, stamp) => (stamp.dropped && stamp.stream === stream ? Math.max(kept, stamp.end) : kept),
    0,
  );
}

/** Of one stream, in their order, without marks of rotation. */
export function stampsOf(stamps: readonly Stamp[], stream: Stream): readonly Stamp[] {
  return stamps.filter((stamp) => stamp.stream === stream && !stamp.dropped);
}

/** Of one stream's: the stamp that covers the byte before `end`; the last one when the bytes are newer than any. */
export function stampOf(own: readonly Stamp[], end: number): Pick<Stamp, 'at' | 'untilAt'> | undefined {
  return firstFrom(own, end) ?? own.at(-1);
}

/** A log has thousands of stamps and millions of lines: by halves. */
function firstFrom(stamps: readonly Stamp[], end: number): Stamp | undefined {
  let [low, high] = [0, stamps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (stamps[middle]!.end >= end) high = middle;
    else low = middle + 1;
  }
  return stamps[low];
}
