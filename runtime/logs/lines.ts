/** Raw bytes of a log file as lines, with the offset where each ends. Bounded: a line is cut at `limits.logLineBytes`. */
import { open } from 'node:fs/promises';
import { limits } from '../../protocols/limits.ts';

export interface RawLine {
  /** Offset of its first byte. */
  readonly start: number;
  /** Offset after its newline (or after its last byte, when it has none yet). */
  readonly end: number;
  readonly text: string;
}

const cutMark = ' …';
const chunkBytes = 65_536;

/**
 * Split bytes that begin at `offset`; a line that is too long becomes several, each but the last marked. `rest` is the
 * unfinished last line, never longer than one piece.
 */
export function splitLines(
  bytes: Buffer,
  offset: number,
): { readonly lines: RawLine[]; readonly rest: Buffer } {
  const lines: RawLine[] = [];
  let from = 0;
  const cut = (to: number): void => {
    while (to - from > limits.logLineBytes) {
      const end = pieceEnd(bytes, from);
      lines.push({
        start: offset + from,
        end: offset + end,
        text: bytes.subarray(from, end).toString('utf8') + cutMark,
      });
      from = end;
    }
  };
  for (let newline = bytes.indexOf(10); newline !== -1; newline = bytes.indexOf(10, from)) {
    cut(newline);
    const text = lineText(bytes.subarray(from, newline));
    lines.push({ start: offset + from, end: offset + newline + 1, text });
    from = newline + 1;
  }
  cut(bytes.length);
  return { lines, rest: bytes.subarray(from) };
}

/** Not in the middle of a character. */
function pieceEnd(bytes: Buffer, from: number): number {
  const full = from + limits.logLineBytes;
  for (let end = full; end > full - 4; end--) if ((bytes[end]! & 0xc0) !== 0x80) return end;
  return full;
}

/** A last line without its newline; it ends at `end`. */
export const unfinished = (rest: Buffer, end: number): RawLine => ({
  start: end - rest.length,
  end,
  text: lineText(rest),
});

/** The first line that begins at `from` or behind it; `from` itself when none begins within a line's length. */
export async function lineFrom(path: string, from: number, to: number): Promise<number> {
  const bytes = await readRange(path, from, Math.min(to, from + limits.logLineBytes));
  // Without a newline the search answers -1.
  return from + bytes.indexOf(10) + 1;
}

const lineText = (bytes: Buffer): string => bytes.toString('utf8').replace(/\r$/, '');

/** The newest `count` lines of a file between two offsets, oldest first; an unfinished last line counts. */
export async function tailLines(path: string, from: number, to: number, count: number): Promise<RawLine[]> {
  if (count <= 0 || to <= from) return [];
  const file = await open(path, 'r');
  try {
    let start = to;
    const chunks: Buffer[] = [];
    let newlines = 0;
    const bound = Math.max(from, to - limits.logFileBytes);
    while (start > bound && newlines <= count) {
      const size = Math.min(chunkBytes, start - bound);
      const chunk = Buffer.alloc(size);
      await file.read(chunk, 0, size, start - size);
      start -= size;
      for (const byte of chunk) if (byte === 10) newlines++;
      chunks.unshift(chunk);
    }
    const { lines, rest } = splitLines(Buffer.concat(chunks), start);
    // What begins in the middle of a line is not a line, unless it begins where the log begins.
    const whole = start > from ? lines.slice(1) : lines;
    const last = rest.length > 0 ? [unfinished(rest, to)] : [];
    return [...whole, ...last].slice(-count);
  } finally {
    await file.close();
  }
}

/** All lines of a file between two offsets, oldest first, a chunk's at a time; an unfinished last line counts. */
export async function* allLines(path: string, from: number, to: number): AsyncGenerator<readonly RawLine[]> {
  if (to <= from) return;
  const file = await open(path, 'r');
  try {
    let rest: Buffer = Buffer.alloc(0);
    for (let at = from; at < to;) {
      const chunk = Buffer.alloc(Math.min(limits.logReadBytes, to - at));
      const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
      if (bytesRead === 0) break;
      at += bytesRead;
      const joined = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
      const found = splitLines(joined, at - joined.length);
      rest = found.rest;
      yield found.lines;
    }
    if (rest.length > 0) yield [unfinished(rest, to)];
  } finally {
    await file.close();
  }
}

/** Bytes of a file from one offset to another, at most `limits.logFileBytes`. */
export async function readRange(path: string, from: number, to: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const bytes = Buffer.alloc(Math.min(to - from, limits.logFileBytes));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, from);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
