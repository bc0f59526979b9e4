/** The hint for a name that is not known. */
import { nearest } from '../../suggest.ts';

export const suggestion = (word: string, known: Iterable<string>, otherwise: string): string => {
  const near = nearest(word, known);
  return near === undefined ? otherwise : `Did you mean ${near}?`;
};
