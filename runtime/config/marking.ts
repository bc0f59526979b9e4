/**
 * How V8 marks its heap while much memory passes outside of it. The bytes of a pull are such memory, and each 64 MB of
 * them begin a marking in steps, which together cost several times what one in a piece does: a third of the pull. For as
 * long as something is on its way it is done in a piece, some 20 ms with our heap; else in steps, with the smaller heap.
 */
import { setFlagsFromString } from 'node:v8';

/** Answers what is to be called when bytes begin to pass; that answers what is to be called, once, when they have. */
export function markingWhole(set: (flag: string) => void): () => () => void {
  let underWay = 0;
  return () => {
    underWay += 1;
    if (underWay === 1) set('--no-incremental-marking');
    return () => {
      underWay -= 1;
      if (underWay === 0) set('--incremental-marking');
    };
  };
}

export const bytesPass = markingWhole(setFlagsFromString);
