/** What a node handed to its journal, as seen at its gate: the newest run of each slot, and how often it wrote. */
import type { RunRecord } from '../../../protocols/containers/slot/value.ts';
import { seenEntry } from '../../../protocols/state/guard.ts';

type Entries = Readonly<Record<string, unknown>>;

/** Of an append's argument, or of a reading's answer. */
export const entriesOf = (holder: unknown): Entries => (holder as { entries: Entries }).entries;

export class JournalView {
  readonly records = new Map<string, RunRecord>();
  appends = 0;
  /** It says which store this node follows. */
  followsStore = false;

  appended(entries: Entries): void {
    this.appends += 1;
    this.#note(entries);
  }

  /** What a cut journal still holds is known from the first reading after it. */
  read(entries: Entries): void {
    if (this.records.size === 0) this.#note(entries);
  }

  cut(): void {
    this.records.clear();
    this.followsStore = false;
  }

  #note(entries: Entries): void {
    for (const [key, value] of Object.entries(entries)) {
      if (key === seenEntry) this.followsStore = true;
      const slot = /^slots\/(.*)\|run$/.exec(key)?.[1];
      if (slot === undefined) continue;
      if (value === undefined) this.records.delete(slot);
      else this.records.set(slot, value as RunRecord);
    }
  }
}
