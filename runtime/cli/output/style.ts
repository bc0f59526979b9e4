/** Colour by meaning, when there is colour. */

export type Tone = 'good' | 'busy' | 'bad' | 'faint' | 'plain';

const codes: Readonly<Record<Tone, string>> = { good: '32', busy: '33', bad: '31', faint: '2', plain: '' };

export type Ink = Readonly<Record<Tone, (text: string) => string>>;

export function paint(colored: boolean): Ink {
  const ink = (tone: Tone) => (text: string) =>
    colored && codes[tone] !== '' ? `\u001b[${codes[tone]}m${text}\u001b[0m` : text;
  return { good: ink('good'), busy: ink('busy'), bad: ink('bad'), faint: ink('faint'), plain: ink('plain') };
}

/** One line, without anything that moves a terminal's cursor. */
export function tidy(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}

const sequence = /(\u001b\[[0-9;]*m)/;

/** At most `width` characters on the screen; colours count nothing and end where the text is cut. */
export function clip(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let room = Math.max(0, width - 1);
  let out = '';
  for (const part of text.split(sequence)) {
    if (sequence.test(part)) {
      out += part;
      continue;
    }
    const characters = [...part].slice(0, room);
    out += characters.join('');
    room -= characters.length;
    if (room === 0) break;
  }
  return text.includes('\u001b') ? `${out}…\u001b[0m` : `${out}…`;
}

export const widthOf = (text: string): number => [...text.replaceAll(/\u001b\[[0-9;]*m/g, '')].length;

export const pad = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - widthOf(text)));
