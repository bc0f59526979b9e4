/**
 * Endless answers: what happens becomes lines, as NDJSON or server-sent events. Between the node and a slow reader
 * stands a bounded queue: beyond it lines are dropped and counted, and a `gap` line says how many.
 */
import { limits } from '../../protocols/limits.ts';
import type { Stop } from '../../protocols/ports.ts';

/** Stands where lines were dropped because the reader was slow, or because they are no longer kept. */
export interface Gap {
  readonly gap: number;
}

/** Answers a promise when the reader is slow. Who can wait for it, as what reads a file can, loses nothing. */
export type Push<Line> = (line: Line | Gap) => Promise<void> | undefined;

/**
 * What a stream consists of: lines that are there already, then, when it is to stay open, those to come. Both are
 * called in one turn of the event loop, so that nothing falls between them.
 */
export interface LineSource<Line> {
  readonly present: () => Iterable<Line | Gap>;
  /** Absent: the stream ends behind the present lines. `end` ends it early. */
  readonly follow?: (push: Push<Line>, end: () => void) => Stop;
}

/** One line as bytes of the stream. */
export type Format<Line> = (line: Line | Gap) => string;

export const ndjson: Format<unknown> = (line) => `${JSON.stringify(line)}\n`;

interface Bounds {
  readonly lines: number;
  readonly bytes: number;
}

const usualBounds: Bounds = { lines: limits.apiStreamFrames, bytes: limits.apiStreamBytes };

class LineQueue<Line> {
  readonly #format: Format<Line>;
  readonly #bounds: Bounds;
  #waiting: string[] = [];
  #bytes = 0;
  #dropped = 0;
  #ended = false;
  #wake: () => void = () => {};
  /** Who waits for room; empty when the source does not wait. */
  readonly #awaited: (() => void)[] = [];

  constructor(format: Format<Line>, bounds: Bounds) {
    this.#format = format;
    this.#bounds = bounds;
  }

  push(line: Line | Gap): Promise<void> | undefined {
    const text = this.#format(line);
    const full = this.#waiting.length >= this.#bounds.lines || this.#bytes + text.length > this.#bounds.bytes;
    // What comes behind a gap waits until the gap could be told.
    if (full || this.#dropped > 0) this.#dropped += 1;
    else {
      this.#waiting.push(text);
      this.#bytes += text.length;
    }
    this.#wake();
    const roomy =
      this.#waiting.length < this.#bounds.lines / 2 && this.#bytes < this.#bounds.bytes / 2 && !full;
    return roomy || this.#ended ? undefined : new Promise((resolve) => this.#awaited.push(resolve));
  }

  end(): void {
    this.#ended = true;
    this.#wake();
    this.#makeRoom();
  }

  #makeRoom(): void {
    for (const resolve of this.#awaited.splice(0)) resolve();
  }

  /** Everything that waits, as one piece; `undefined` at the end. */
  async take(): Promise<string | undefined> {
    while (this.#waiting.length === 0 && this.#dropped === 0) {
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const gap = this.#dropped > 0 ? this.#format({ gap: this.#dropped }) : '';
    const piece = this.#waiting.join('') + gap;
    this.#waiting = [];
    this.#bytes = 0;
    this.#dropped = 0;
    this.#makeRoom();
    return piece;
  }
}

/** Lines that are there already are handed over in pieces of about this many characters. */
const pieceChars = 65_536;

function* pieces<Line>(lines: Iterable<Line | Gap>, format: Format<Line>): Generator<string> {
  let piece = '';
  for (const line of lines) {
    piece += format(line);
    if (piece.length < pieceChars) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

/** `closed` is called once when the stream is over, from whichever side. */
export function streamOf<Line>(
  source: LineSource<Line>,
  format: Format<Line>,
  closed: () => void,
  bounds: Bounds = usualBounds,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const queue = new LineQueue<Line>(format, bounds);
  let present: Iterator<string> = [].values();
  let stop: Stop = () => {};
  const finish = (): void => {
    stop();
    stop = () => {};
    closed();
  };
  return new ReadableStream<Uint8Array>(
    {
      start: () => {
        present = pieces(source.present(), format);
        if (!source.follow) return queue.end();
        stop = source.follow(
          (line) => queue.push(line),
          () => queue.end(),
        );
      },
      pull: async (controller) => {
        const piece = present.next().value ?? (await queue.take());
        if (piece !== undefined) return controller.enqueue(encoder.encode(piece));
        finish();
        controller.close();
      },
      cancel: () => {
        // A pull may still wait for a line that never comes.
        queue.end();
        finish();
      },
    },
    { highWaterMark: 0 },
  );
}
