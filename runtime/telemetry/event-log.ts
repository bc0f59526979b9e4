/**
 * The node's event log: what `hivemind events` shows. A ring of the newest `limits.eventLog` entries of this boot,
 * numbered from 1 without gaps; who asks for something older sees by the numbers that it is gone. Not a journal:
 * a restart begins anew.
 */
import type { NodeEvent } from '../../protocols/effects.ts';
import { limits } from '../../protocols/limits.ts';
import type { Clock } from '../../protocols/ports.ts';
import type { EventLog, LoggedEvent } from '../node-handle.ts';

/** An event log as its owner holds it. */
export interface WritableEventLog extends EventLog {
  append(event: NodeEvent): LoggedEvent;
}

/** `capacity` is for tests. */
export function createEventLog(
  clock: Pick<Clock, 'now'>,
  capacity: number = limits.eventLog,
): WritableEventLog {
  const ring: LoggedEvent[] = [];
  const listeners = new Set<(event: LoggedEvent) => void>();
  let last = 0;

  /** Oldest first, of those still there; `seq` n stands at `n % capacity`. */
  const between = (first: number, count: number): LoggedEvent[] =>
    Array.from({ length: count }, (_, i) => ring[(first + i) % capacity]!);

  return {
    append(event) {
      last += 1;
      const logged: LoggedEvent = { ...event, seq: last, at: clock.now() };
      ring[last % capacity] = logged;
      for (const listener of [...listeners]) listener(logged);
      return logged;
    },
    read({ after = 0, limit }) {
      const oldest = Math.max(1, last - capacity + 1, after + 1, last - limit + 1);
      return between(oldest, Math.max(0, last - oldest + 1));
    },
    watch(listener) {
      // A listener of its own, so that the same function may watch twice.
      const own = (event: LoggedEvent): void => listener(event);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
  };
}
