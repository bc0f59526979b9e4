/**
 * The passphrase of the key file, from a variable or a file. Taken once: the variable is removed from the process's
 * environment, so that no program which the daemon starts inherits it.
 */
import { readFileSync } from 'node:fs';
import { wrong } from './sources.ts';

const variable = 'HIVEMIND_SECRET_PASSPHRASE';

/** The first is the present one; further lines of the file still open what they sealed. Throws HM-CONFIG without quoting any. */
export function takePassphrases(environment: NodeJS.ProcessEnv = process.env): readonly string[] {
  const given = environment[variable];
  delete environment[variable];
  if (given !== undefined && given !== '') return [given];
  const file = environment[`${variable}_FILE`];
  if (file === undefined || file === '') return [];
  const lines = textOf(file)
    .split(/\r?\n/)
    .filter((line) => line !== '');
  if (lines.length === 0) throw wrong(`${variable}_FILE: ${file} is empty`, { file });
  return lines;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (thrown) {
    throw wrong(`${variable}_FILE: ${(thrown as NodeJS.ErrnoException).code} at ${file}`, { file });
  }
}
