/** Names of apps, services and volumes: which are allowed, and what Compose makes of a directory's. */
import { limits } from '../../../limits.ts';

const namePattern = /^[a-z0-9][a-z0-9_-]*$/;

export const isName = (text: string): boolean => namePattern.test(text) && text.length <= limits.nameChars;

/** Of a config or a secret of a file, as Compose allows it: nothing is called by it but a file. */
export const isFileName = (text: string): boolean =>
  /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(text) && text.length <= limits.secretNameChars;

/** As Compose makes a project's name of a directory's: lower case, other characters dropped. May be empty. */
export function normalizeName(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, '')
    .replace(/^[_-]+/, '')
    .slice(0, limits.nameChars);
}
