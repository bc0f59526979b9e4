/** The journal keeps what it acknowledged: after a kill every answered append is read back. O11 and O12 rest on it. */
import { canonicalJson } from '../../../../protocols/hash.ts';
import { Checker } from '../checker.ts';

type Entries = Readonly<Record<string, unknown>>;

export class JournalKept extends Checker {
  readonly name = 'journal';
  /** As text; what was deleted is absent. */
  readonly #acknowledged = new Map<string, string>();
  /** Asked for and not answered: may be there or not. */
  readonly #open = new Map<string, number>();
  #fresh = true;

  override onBoot(): void {
    this.#fresh = true;
  }

  override onCut(): void {
    this.#acknowledged.clear();
    this.#open.clear();
  }

  asked(entries: Entries): void {
    for (const key of Object.keys(entries)) this.#open.set(key, (this.#open.get(key) ?? 0) + 1);
  }

  answered(entries: Entries): void {
    for (const [key, value] of Object.entries(entries)) {
      this.#open.set(key, (this.#open.get(key) ?? 1) - 1);
      if (value === undefined) this.#acknowledged.delete(key);
      else this.#acknowledged.set(key, canonicalJson(value));
    }
  }

  /** The first reading of a life with this prefix. */
  read(prefix: string, entries: Entries): void {
    if (!this.#fresh) return;
    this.#fresh = prefix !== 'slots/';
    for (const [key, text] of this.#acknowledged) {
      if (!key.startsWith(prefix) || (this.#open.get(key) ?? 0) > 0) continue;
      this.exercised += 1;
      const found = entries[key] === undefined ? 'nothing' : canonicalJson(entries[key]);
      if (found !== text) this.fail(`${key} was acknowledged as ${text} and is read as ${found}`);
    }
  }
}
