/** Colour by meaning, when there is colour. */

export type Tone = 'good' | 'busy' | 'bad' | 'faint' | 'plain';

const codes: Readonly<Record<Tone, string>> = { good: '32', busy: '33', bad: '31', faint: '2', plain: '' };

export type Ink = Readonly<Record<Tone, (text: string) => string>>;

export function paint(colored: boolean): Ink {
  const ink = (tone: Tone) => (text: string) =>
    colored && codes[tone] !== '' ? `\u001b[${codes[tone]}m${text}\u001b[0m` : text;
  return { good: ink('good'), busy: ink('busy'), bad: ink('bad'), faint: ink('faint'), plain: ink('plain') };
}

/** One line, without anything that moves a terminal's cursor, or turns the order of what stands behind it. */
export function tidy(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g, ' ');
}

const sequence = /(\u001b\[[0-9;]*m)/;

/** At most `width` cells of the screen; colours count nothing and end where the text is cut. */
export function clip(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let room = Math.max(0, width - 1);
  let out = '';
  for (const part of text.split(sequence)) {
    if (sequence.test(part)) {
      out += part;
      continue;
    }
    for (const character of part) {
      const cells = cellsOf(character);
      if (cells > room) {
        room = 0;
        break;
      }
      out += character;
      room -= cells;
    }
    if (room === 0) break;
  }
  return text.includes('\u001b') ? `${out}…\u001b[0m` : `${out}…`;
}

const ascii = /^[\x20-\x7e]*$/;
/** What is drawn over, or joins, what stands before it. */
const none = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const wide =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]$/u;

const cellsOf = (character: string): number => (none.test(character) ? 0 : wide.test(character) ? 2 : 1);

/** Cells of a terminal; colours take none. */
export function widthOf(text: string): number {
  const plain = text.replaceAll(/\u001b\[[0-9;]*m/g, '');
  if (ascii.test(plain)) return plain.length;
  let cells = 0;
  for (const character of plain) cells += cellsOf(character);
  return cells;
}

export const pad = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - widthOf(text)));
