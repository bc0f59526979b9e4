/**
 * What follows from the runtime's events and lists: exits go to the actor of their attempt, whatever runs is
 * shown to its slot (which removes what is not its own), and what belongs to no slot goes to the manager.
 * After every (re)connection, and now and then, everything is listed and compared: events may have been missed.
 */
import { drive, emit, send, type Decision, type Effect } from '../effects.ts';
import { reason, type Reason } from '../errors.ts';
import { limits } from '../limits.ts';
import { containerPath, paths } from '../wire/paths.ts';
import type { ContainerStatus, RunKey, RuntimeEvent } from './model.ts';

interface Known {
  readonly key: RunKey;
  readonly since: number;
  readonly paused?: true;
}

export interface RuntimeWatchValue {
  /** Every container that was seen and is not gone, by id. `since`: the last list asked for when it was learnt. */
  readonly known: Readonly<Record<string, Known>>;
  /** Numbers the lists. */
  readonly calls: number;
  readonly reason?: Reason;
}

type Value = RuntimeWatchValue;

const follow = (value: Value): Decision<Value> => [
  value,
  [{ do: 'watch', id: 'runtime', source: { of: 'containers' } }],
];

/** One list at a time, the newest: an older one is let go, so an answer is always the answer to list number `calls`. */
const list = (value: Value): Decision<Value> => {
  const calls = value.calls + 1;
  const call = { port: 'containers', op: 'list', args: {} } as const;
  return [
    { ...value, calls },
    [
      { do: 'cancel', token: `list:${value.calls}` },
      drive(
        `list:${calls}`,
        call,
        { done: 'containers.listed', failed: 'containers.unlisted' },
        limits.runtimeCallMs,
      ),
    ],
  ];
};

const compare = (
  value: Value,
  event: { value: { containers: readonly ContainerStatus[] } },
): Decision<Value> => {
  const listed = event.value.containers;
  const effects: Effect[] = [];
  const known: Record<string, Known> = {};
  for (const container of listed) {
    const isPaused = container.phase === 'paused';
    known[container.id] = {
      key: container.key,
      since: value.calls - 1,
      ...(isPaused ? { paused: true } : {}),
    };
    if (isPaused !== (value.known[container.id]?.paused ?? false))
      effects.push(paused(container.key, isPaused));
    if (container.phase === 'stopped') effects.push(exited(container.key, container.exit));
    effects.push(
      send(paths.manager, {
        type: 'container.found',
        key: container.key,
        id: container.id,
        found: container.phase,
      }),
    );
  }
  for (const [id, seen] of Object.entries(value.known)) {
    if (known[id]) continue;
    // Launched after this list was asked for: it cannot be in it.
    if (seen.since >= value.calls) known[id] = seen;
    else effects.push(exited(seen.key, undefined));
  }
  const { reason: before, ...kept } = value;
  if (before) effects.push(emit('runtime.recovered', 'containerd', 'the container runtime answers again'));
  return [{ ...kept, known }, effects];
};

function exited(key: RunKey, exit: ContainerStatus['exit']): Effect {
  return send(containerPath(key), { type: 'runtime.exited', ...(exit ? { exit } : {}) });
}

function paused(key: RunKey, isPaused: boolean): Effect {
  return send(containerPath(key), { type: 'runtime.paused', paused: isPaused });
}

const unlisted = (value: Value, event: { error: Reason }): Decision<Value> => {
  const told =
    value.reason?.code === event.error.code
      ? []
      : [emit('runtime.lost', 'containerd', event.error.message, event.error)];
  return [{ ...value, reason: event.error }, told];
};

const pass = (value: Value, event: { event: RuntimeEvent }): Decision<Value> => {
  const news = event.event;
  if (news.type === 'resync') return list(value);
  const key = value.known[news.id]?.key;
  // An exit of something never listed: look.
  if (!key) return list(value);
  if (news.type === 'oom')
    return [
      value,
      [
        emit(
          'container.oom',
          key.slot,
          `${key.slot} ran out of memory`,
          reason('HM-CONTAINER-OOM', undefined, { slot: key.slot, container: news.id }),
          'warning',
        ),
      ],
    ];
  if (news.type === 'exited') return [value, [exited(key, news.exit)]];
  const { paused: _, ...before } = value.known[news.id]!;
  const known = { ...value.known, [news.id]: news.paused ? { ...before, paused: true as const } : before };
  return [{ ...value, known }, [paused(key, news.paused)]];
};

/** A container actor tells what it started, so that its exit needs no list. */
const learn = (value: Value, event: { id: string; key: RunKey }): Decision<Value> => [
  { ...value, known: { ...value.known, [event.id]: { key: event.key, since: value.calls } } },
  [],
];

const unlearn = (value: Value, event: { id: string }): Decision<Value> => {
  const { [event.id]: gone, ...known } = value.known;
  return [gone ? { ...value, known } : value, []];
};

export const runtimeWatchSteps = { follow, list, compare, unlisted, pass, learn, unlearn };
