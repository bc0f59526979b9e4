/**
 * Watches. Every watch reads the history from where it stands, so that catching up and following are one thing and
 * nothing can fall between them. Delivery is deferred: a notice never arrives inside the call that caused it.
 */
import { coded } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Clock, Stop } from '../../../protocols/ports.ts';
import { eventsOf } from '../../../protocols/state/history.ts';
import type { Position, WatchNotice } from '../../../protocols/state/model.ts';
import { checkPrefix } from '../../../protocols/state/txn.ts';
import type { Backend } from './backend.ts';

interface Watch {
  readonly prefix: string;
  readonly notify: (notice: WatchNotice) => void;
  /** Everything up to this revision was delivered or did not concern it. */
  revision: number;
}

/** Revisions read for one watch before the next has its turn. */
const chunk = 256;

export class Watches {
  readonly #open = new Set<Watch>();
  readonly #backend: Backend;
  readonly #clock: Clock;
  #scheduled = false;

  constructor(backend: Backend, clock: Clock) {
    this.#backend = backend;
    this.#clock = clock;
  }

  add(prefix: string, after: Position, notify: Watch['notify']): Stop {
    const watch: Watch = { prefix, notify, revision: after.revision };
    this.#open.add(watch);
    const refusal = this.#refusal(prefix, after);
    if (refusal) this.#clock.defer(() => this.#end(watch, refusal));
    else this.wake();
    return () => this.#open.delete(watch);
  }

  /** Something was committed, or a watch was opened. */
  wake(): void {
    if (this.#scheduled || this.#open.size === 0) return;
    this.#scheduled = true;
    this.#clock.defer(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  /** Ends every watch. */
  fail(error: unknown): void {
    for (const watch of this.#open) this.#end(watch, { type: 'failed', error });
  }

  #refusal(prefix: string, after: Position): WatchNotice | undefined {
    const { epoch } = this.#backend.identity;
    try {
      checkPrefix(prefix);
    } catch (error) {
      return { type: 'failed', error };
    }
    if (this.#open.size > limits.storeWatches) {
      return { type: 'failed', error: coded('HM-STORE-LIMIT', `More than ${limits.storeWatches} watches.`) };
    }
    if (after.epoch < epoch || (after.epoch === epoch && after.revision < this.#backend.oldest())) {
      return { type: 'compacted', oldest: { epoch, revision: this.#backend.oldest() } };
    }
    if (after.epoch > epoch || after.revision > this.#backend.revision()) {
      const present = `${epoch}.${this.#backend.revision()}`;
      const message = `A watch asks from ${after.epoch}.${after.revision}; the store is at ${present}.`;
      return { type: 'failed', error: coded('HM-STORE-FOREIGN', message, { present }) };
    }
    return undefined;
  }

  #end(watch: Watch, notice: WatchNotice): void {
    if (this.#open.delete(watch)) watch.notify(notice);
  }

  /** One chunk for each watch. A listener that throws is a defect, but not one of the other watches'. */
  #deliver(): void {
    const thrown: unknown[] = [];
    let behind = false;
    for (const watch of [...this.#open]) {
      try {
        this.#advance(watch);
      } catch (error) {
        thrown.push(error);
      }
      behind ||= this.#open.has(watch) && watch.revision < this.#backend.revision();
    }
    if (behind) this.wake();
    if (thrown.length > 0) throw thrown[0];
  }

  #advance(watch: Watch): void {
    if (!this.#open.has(watch) || watch.revision >= this.#backend.revision()) return;
    const { epoch } = this.#backend.identity;
    if (watch.revision < this.#backend.oldest()) {
      return this.#end(watch, { type: 'compacted', oldest: { epoch, revision: this.#backend.oldest() } });
    }
    let events;
    try {
      const commits = this.#backend.commits(watch.revision, chunk);
      watch.revision = commits.at(-1)?.revision ?? watch.revision;
      events = commits.flatMap((commit) => eventsOf(commit, watch.prefix));
    } catch (error) {
      return this.#end(watch, { type: 'failed', error });
    }
    if (events.length > 0) {
      watch.notify({ type: 'changed', events, position: { epoch, revision: watch.revision } });
    }
  }
}
