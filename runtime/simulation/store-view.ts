/** The true store as rows, followed from its first revision on through its restarts; whatever the node is shown. */
import { keys } from '../../protocols/state/keys.ts';
import type { Position, StoreEvent } from '../../protocols/state/model.ts';
import type { MemoryStore } from '../drivers/store/memory/memory-store.ts';

export class StoreView {
  readonly rows = new Map<string, unknown>();
  #position: Position = { epoch: 1, revision: 0 };
  #stop: () => void = () => {};
  /** Revisions that concern who is in the cluster alone: certificates are renewed for as long as there are any. */
  housekeeping = 0;
  readonly #onRevision: (events: readonly StoreEvent[], revision: number) => void;

  constructor(onRevision: (events: readonly StoreEvent[], revision: number) => void) {
    this.#onRevision = onRevision;
  }

  get revision(): number {
    return this.#position.revision;
  }

  /** Also after a restart of the store: goes on where it was. */
  follow(store: MemoryStore): void {
    this.#stop();
    this.#stop = store.watch({ prefix: '', after: this.#position }, (notice) => {
      if (notice.type !== 'changed') return;
      for (const [revision, events] of byRevision(notice.events)) {
        if (events.every(isHousekeeping)) this.housekeeping += 1;
        for (const event of events) {
          if (event.type === 'put') this.rows.set(event.kv.key, event.kv.value);
          else this.rows.delete(event.key);
        }
        this.#onRevision(events, revision);
      }
      this.#position = notice.position;
    });
  }
}

const isHousekeeping = (event: StoreEvent): boolean =>
  (event.type === 'put' ? event.kv.key : event.key).startsWith(keys.members);

function byRevision(events: readonly StoreEvent[]): Map<number, StoreEvent[]> {
  const groups = new Map<number, StoreEvent[]>();
  for (const event of events) {
    const revision = event.type === 'put' ? event.kv.modRevision : event.modRevision;
    const group = groups.get(revision);
    if (group) group.push(event);
    else groups.set(revision, [event]);
  }
  return groups;
}
