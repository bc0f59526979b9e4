/** St3: a watch brings every change behind the position it was asked for, whole, in order and once; or it says that it ended. */
import type { Position, StoreEvent, WatchNotice } from '../../../protocols/state/model.ts';
import { Checker } from './checker.ts';

export interface WatchWish {
  readonly prefix: string;
  readonly after: Position;
}

interface Revision {
  readonly revision: number;
  readonly events: readonly StoreEvent[];
}

const keyOf = (event: StoreEvent): string => (event.type === 'put' ? event.kv.key : event.key);
const textOf = (events: readonly StoreEvent[]): string =>
  events
    .map((event) => `${event.type === 'put' ? event.kv.modRevision : event.modRevision} ${keyOf(event)}`)
    .join(', ');

export class WatchesWhole extends Checker {
  readonly name = 'St3';
  /** Of the true store, in order. */
  readonly #history: Revision[] = [];

  override onRevision(events: readonly StoreEvent[], revision: number): void {
    this.#history.push({ revision, events });
  }

  opened({ prefix, after }: WatchWish): (notice: WatchNotice) => void {
    // What a false store brings is no history of the true one, nor where a watch stands that it was shown.
    let isTrue = !this.sight.storeIsFalse();
    let standsAt = after.revision;
    return (notice) => {
      isTrue &&= !this.sight.storeIsFalse();
      if (notice.type !== 'changed' || !isTrue) return;
      this.exercised += 1;
      const { revision } = notice.position;
      const wanted = textOf(this.#between(standsAt, revision, prefix));
      const brought = textOf(notice.events);
      if (wanted !== brought)
        this.fail(
          `a watch of ${prefix} from ${standsAt} to ${revision} brings [${brought}], not [${wanted}]`,
        );
      standsAt = revision;
    };
  }

  #between(after: number, upTo: number, prefix: string): readonly StoreEvent[] {
    let from = this.#history.length;
    while (from > 0 && this.#history[from - 1]!.revision > after) from -= 1;
    return this.#history
      .slice(from)
      .filter(({ revision }) => revision <= upTo)
      .flatMap(({ events }) => events.filter((event) => keyOf(event).startsWith(prefix)));
  }
}
