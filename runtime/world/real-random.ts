/** Chance from the machine. */
import { randomBytes } from 'node:crypto';
import type { Random } from '../../protocols/ports.ts';

export const realRandom: Random = {
  next: () => Math.random(),
  hex: (bytes) => randomBytes(bytes).toString('hex'),
};
