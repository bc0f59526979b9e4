/** One seed, many independent sources of chance: a draw for one purpose never shifts the draws for another. */
import { hashText } from '../../../protocols/hash.ts';
import type { Random } from '../../../protocols/ports.ts';
import { seededRandom } from '../seeded-random.ts';

/** Equal seed and purpose, equal draws. */
export function chanceFor(seed: number, purpose: string): Random {
  return seededRandom(Number.parseInt(hashText(`${seed}/${purpose}`).slice(0, 13), 16));
}
