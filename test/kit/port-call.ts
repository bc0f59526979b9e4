/** Calling ports as an actor would, and looking at how they refuse. */
import { CodedError, type Reason } from '../../protocols/errors.ts';
import type { Call } from '../../protocols/ports.ts';

let calls = 0;

/** A request of its own that nobody abandons. */
export function newCall(): Call {
  return { key: `call-${++calls}`, signal: new AbortController().signal };
}

/** The reason of a refusal; fails when there is none, or one without a code. */
export async function refusal(work: Promise<unknown>): Promise<Reason> {
  try {
    await work;
  } catch (error) {
    if (error instanceof CodedError) return error.reason;
    throw error;
  }
  throw new Error('it was not refused');
}
