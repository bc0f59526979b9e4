/**
 * Chance that can be replayed: the same seed draws the same numbers (sfc32). For simulation and tests; never for
 * keys or tokens.
 */
import type { Random } from '../../protocols/ports.ts';

/** `seed`: any integer. */
export function seededRandom(seed: number): Random {
  let a = seed >>> 0;
  let b = Math.trunc(seed / 0x1_0000_0000) >>> 0;
  let c = 0x9e37_79b9;
  let counter = 1;
  const draw = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return sum >>> 0;
  };
  // The first draws of near seeds resemble each other.
  for (let round = 0; round < 12; round += 1) draw();
  return {
    next: () => draw() / 0x1_0000_0000,
    hex: (bytes) => {
      let text = '';
      for (let at = 0; at < bytes; at += 1) text += (draw() & 0xff).toString(16).padStart(2, '0');
      return text;
    },
  };
}
