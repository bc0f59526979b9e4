/** Raw bytes of a log file as lines, with the offset where each ends. Bounded: a line is cut at `limits.logLineBytes`. */
import { open } from 'node:fs/promises';
import { limits } from '../../protocols/limits.ts';

export interface RawLine {
  /** Offset after its newline (or after its last byte, when it has none yet). */
  readonly end: number;
  readonly text: string;
}

const cutMark = ' …';
const chunkBytes = 65_536;

/** Split bytes that begin at `offset`. `rest` is the unfinished last line. */
export function splitLines(
  bytes: Buffer,
  offset: number,
): { readonly lines: RawLine[]; readonly rest: Buffer } {
  const lines: RawLine[] = [];
  let from = 0;
  for (let newline = bytes.indexOf(10); newline !== -1; newline = bytes.indexOf(10, from)) {
    lines.push({ end: offset + newline + 1, text: lineText(bytes.subarray(from, newline)) });
    from = newline + 1;
  }
  const rest = bytes.subarray(from);
  if (rest.length <= limits.logLineBytes) return { lines, rest };
  return {
    lines: [...lines, { end: offset + bytes.length, text: lineText(rest) }],
    rest: rest.subarray(rest.length),
  };
}

export function lineText(bytes: Buffer): string {
  const cut = bytes.length > limits.logLineBytes;
  const text = bytes.subarray(0, limits.logLineBytes).toString('utf8').replace(/\r$/, '');
  return cut ? text + cutMark : text;
}

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
    const last = rest.length > 0 ? [{ end: to, text: lineText(rest) }] : [];
    return [...whole, ...last].slice(-count);
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
