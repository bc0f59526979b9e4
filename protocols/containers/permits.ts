/** How many containers may be launched at once: a bounded number of permits, first come, first served. */
import { send, type Decision, type Effect } from '../effects.ts';
import { limits } from '../limits.ts';
import type { ActorPath } from '../wire/address.ts';

export interface PermitsValue {
  /** Actor paths that hold a permit. */
  readonly holders: readonly ActorPath[];
  readonly queue: readonly ActorPath[];
}

const grant = (to: ActorPath): Effect => send(to, { type: 'permit.granted' });

const request = (value: PermitsValue, event: { to: ActorPath }): Decision<PermitsValue> => {
  const { to } = event;
  // Asked again: the first answer was lost with an earlier life of the asker.
  if (value.holders.includes(to)) return [value, [grant(to)]];
  if (value.queue.includes(to)) return [value, []];
  const follow: Effect = { do: 'watch', id: to, source: { of: 'actor', path: to } };
  if (value.holders.length < limits.startParallelism)
    return [{ ...value, holders: [...value.holders, to] }, [follow, grant(to)]];
  return [{ ...value, queue: [...value.queue, to] }, [follow]];
};

function release(value: PermitsValue, who: ActorPath): Decision<PermitsValue> {
  const queue = value.queue.filter((path) => path !== who);
  if (!value.holders.includes(who)) return [{ ...value, queue }, []];
  const holders = value.holders.filter((path) => path !== who);
  const [next, ...rest] = queue;
  if (next === undefined) return [{ holders, queue }, []];
  return [{ holders: [...holders, next], queue: rest }, [grant(next)]];
}

export const permitsSteps = {
  request,
  returned: (value: PermitsValue, event: { to: ActorPath }): Decision<PermitsValue> => {
    const [next, effects] = release(value, event.to);
    return [next, [{ do: 'cancel', token: event.to }, ...effects]];
  },
  holderEnded: (value: PermitsValue, event: { path: ActorPath }): Decision<PermitsValue> =>
    release(value, event.path),
};
