/** How often this node has started: a number in its journal that only grows. It tells its lives apart, to itself and to others. */
import { coded } from '../protocols/errors.ts';
import type { Call, Journal } from '../protocols/ports.ts';

/** Journal entry. */
const bootEntry = 'boot';
const ownCall = (): Call => ({ key: bootEntry, signal: new AbortController().signal });

/** Counts this start. HM-JOURNAL-CORRUPT. */
export async function countBoot(journal: Journal): Promise<number> {
  return raiseBoot(journal, 0);
}

/** A boot above that one and above every one of this node: others remember a later life than its journal does. */
export async function raiseBoot(journal: Journal, above: number): Promise<number> {
  const { entries } = await journal.read({ prefix: bootEntry }, ownCall());
  const last = entries[bootEntry] ?? 0;
  if (typeof last !== 'number')
    throw coded('HM-JOURNAL-CORRUPT', 'the boot number in the journal is not a number');
  const next = Math.max(last, above) + 1;
  await journal.append({ entries: { [bootEntry]: next } }, ownCall());
  return next;
}
