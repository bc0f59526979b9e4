/**
 * The node's event log: what `hivemind events` shows. The newest `limits.eventLog` entries, those of earlier boots
 * among them when there are files to keep them in (`event-files.ts`). Entries are numbered within their boot; what is
 * no longer there shows by `floor` and by the numbers, so nobody misses anything without learning of it.
 */
import type { NodeEvent } from '../../../protocols/effects.ts';
import { comparePlaces, type EventPlace } from '../../../protocols/events/place.ts';
import { reason, type Reason } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Clock } from '../../../protocols/ports.ts';
import type { EventLog, LoggedEvent } from '../../node-handle.ts';

/** An event log as its owner holds it. */
export interface WritableEventLog extends EventLog {
  append(event: NodeEvent): LoggedEvent;
}

/** Where events outlive the process. */
export interface EventStore {
  /** Of earlier boots, oldest first. */
  readonly kept: readonly LoggedEvent[];
  /** Nothing was ever dropped before them. */
  readonly isWhole: boolean;
  append(event: LoggedEvent): void;
}

/** Every boot has events: one that left none, before the boot that begins now, lost them all. */
export function lostBoots(kept: readonly LoggedEvent[], boot: number): readonly Reason[] {
  const last = kept.at(-1)?.boot ?? 0;
  return last === boot - 1 ? [] : [reason('HM-EVENTS-TORN', undefined, { boot: last, now: boot })];
}

interface EventLogOptions {
  /** The boot that appends. */
  readonly boot: number;
  readonly store?: EventStore;
  /** For tests. */
  readonly capacity?: number;
}

export function createEventLog(
  clock: Pick<Clock, 'now'>,
  { boot, store, capacity = limits.eventLog }: EventLogOptions,
): WritableEventLog {
  const ring: LoggedEvent[] = [];
  const listeners = new Set<(event: LoggedEvent) => void>();
  /** Entries ever held; entry n stands at `n % capacity`. */
  let count = 0;
  let seq = 0;
  let floor: EventPlace = { boot: 0, seq: 0 };
  const oldest = (): number => Math.max(0, count - capacity);
  const at = (n: number): LoggedEvent => ring[n % capacity]!;

  const hold = (event: LoggedEvent): void => {
    if (count >= capacity) {
      const { boot: goneBoot, seq: goneSeq } = at(count - capacity);
      floor = { boot: goneBoot, seq: goneSeq };
    }
    ring[count % capacity] = event;
    count += 1;
  };
  // Boots that count anew are not those that are kept: nothing can be said about their order.
  const kept = (store?.kept.at(-1)?.boot ?? 0) < boot ? (store?.kept ?? []) : [];
  const first = kept[0];
  if (store && (!store.isWhole || (first?.boot ?? boot) > 1))
    floor = first ? { boot: first.boot, seq: first.seq - 1 } : { boot, seq: 0 };
  else if (!store && boot > 1) floor = { boot, seq: 0 };
  for (const event of kept) hold(event);

  /** The first entry behind a place. */
  const behind = (place: EventPlace): number => {
    let low = oldest();
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (comparePlaces(at(middle), place) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  return {
    get last() {
      return { boot, seq };
    },
    get floor() {
      return floor;
    },
    append(event) {
      seq += 1;
      const logged: LoggedEvent = { ...event, boot, seq, at: clock.now() };
      hold(logged);
      store?.append(logged);
      for (const listener of [...listeners]) listener(logged);
      return logged;
    },
    read({ after, limit }) {
      const from = after ? behind(after) : Math.max(oldest(), count - limit);
      return Array.from({ length: Math.max(0, Math.min(limit, count - from)) }, (_, i) => at(from + i));
    },
    watch(listener) {
      // A listener of its own, so that the same function may watch twice.
      const own = (event: LoggedEvent): void => listener(event);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
  };
}
