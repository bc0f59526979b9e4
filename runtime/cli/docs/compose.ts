/** `hivemind docs compose`: the support matrix, printed. */
import { supportMatrix } from '../../../protocols/apps/compose/support/matrix.ts';
import type { Section } from '../../../protocols/apps/compose/support/support.ts';

const introduction = `What becomes of each key of a Compose file.

supported  does what Compose says
warning    is read and has no effect, which deploy says with file and line
refused    leaving it out would do harm: deploy says what to do instead
cluster    is checked and kept, and has no effect on one node, which deploy says

Keys that begin with x- are for other tools and are left alone; x-hivemind is read as strictly as the others.
Any other key is refused, with the known key that it is most like.`;

export function composeText(): string {
  return [introduction, ...Object.entries(supportMatrix).flatMap(sectionText)].join('\n\n');
}

function sectionText([name, section]: [string, Section]): string[] {
  const keys = Object.entries(section).toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (keys.length === 0) return [];
  const width = Math.max(...keys.map(([key]) => key.length));
  const lines = keys.flatMap(([key, { status, why, instead }]) => [
    `  ${key.padEnd(width)}  ${status.padEnd(9)}  ${why}`,
    ...(instead === undefined ? [] : [`  ${' '.repeat(width)}  ${' '.repeat(9)}  → ${instead}`]),
  ]);
  return [[name === 'file' ? 'at the top of the file' : name, ...lines].join('\n')];
}
