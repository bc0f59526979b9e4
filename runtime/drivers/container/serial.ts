/** One thing at a time for each key: two creates of one id, or a create and its removal, never interleave. */
import { coded } from '../../../protocols/errors.ts';

export interface Serial {
  /** Runs `work` when everything before it under this key is done; HM-RUNTIME-TIMEOUT if the signal fires first. */
  run<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
  /** Keys with work under way or waiting. */
  readonly busy: number;
}

export function createSerial(): Serial {
  const tails = new Map<string, Promise<unknown>>();
  return {
    get busy() {
      return tails.size;
    },
    run: (key, signal, work) => {
      const before = tails.get(key) ?? Promise.resolve();
      const turn = before.then(() => {
        if (signal.aborted) throw gaveUp(key);
        return work();
      });
      const tail = turn.then(
        () => {},
        () => {},
      );
      tails.set(key, tail);
      void tail.then(() => {
        if (tails.get(key) === tail) tails.delete(key);
      });
      return Promise.race([turn, abandoned(key, signal, tail)]);
    },
  };
}

/** Rejects when the signal fires before the turn has settled. */
function abandoned(key: string, signal: AbortSignal, settled: Promise<unknown>): Promise<never> {
  return new Promise((_, reject) => {
    const giveUp = () => reject(gaveUp(key));
    if (signal.aborted) giveUp();
    signal.addEventListener('abort', giveUp, { once: true });
    void settled.then(() => signal.removeEventListener('abort', giveUp));
  });
}

function gaveUp(id: string): Error {
  return coded('HM-RUNTIME-TIMEOUT', 'The deadline passed before the runtime was done.', { id });
}
