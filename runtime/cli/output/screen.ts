/** A block of lines at the bottom of a terminal that is rewritten in place. Never taller or wider than the terminal. */
import type { OutputStream } from '../cli.ts';
import { clip } from './style.ts';

const up = (lines: number): string => (lines === 0 ? '\r' : `\u001b[${lines}A\r`);
const clearRight = '\u001b[K';
const clearBelow = '\u001b[J';
const hideCursor = '\u001b[?25l';
const showCursor = '\u001b[?25h';

/** In characters. A terminal that does not know its size says 0. */
export function sizeOf({ columns, rows }: OutputStream): { readonly columns: number; readonly rows: number } {
  return { columns: columns || 80, rows: rows || 24 };
}

export class Screen {
  readonly #stream: OutputStream;
  #drawn = 0;

  constructor(stream: OutputStream) {
    this.#stream = stream;
  }

  /** Whether anything stands there. */
  get drawn(): boolean {
    return this.#drawn > 0;
  }

  /** Replace the block. */
  draw(lines: readonly string[]): void {
    const { columns, rows } = sizeOf(this.#stream);
    const fitting = lines.slice(0, Math.max(1, rows - 1));
    const shown = fitting.map((line) => clip(line, columns - 1));
    // Line over line: some terminals move what is cleared as a whole into what can be scrolled back to.
    const block = shown.map((line) => `${line}${clearRight}\n`).join('');
    this.#stream.write(`${hideCursor}${up(this.#drawn)}${block}${clearBelow}${showCursor}`);
    this.#drawn = shown.length;
  }
}
