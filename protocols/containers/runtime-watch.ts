/**
 * What follows from the runtime's events and lists: exits go to the actor of their attempt, whatever runs is
 * shown to its slot (which removes what is not its own), and what belongs to no slot goes to the manager.
 * After every (re)connection, and now and then, everything is listed and compared: events may have been missed.
 */
import type { SlotName } from '../apps/model.ts';
import { drive, emit, send, type Decision, type Effect } from '../effects.ts';
import { reason, type Reason } from '../errors.ts';
import { limits } from '../limits.ts';
import { containerPath, paths } from '../wire/paths.ts';
import type { ContainerStatus, RunKey, RuntimeEvent } from './model.ts';

interface Known {
  readonly key: RunKey;
  readonly since: number;
  readonly paused?: true;
  /** The slot whose network it has. */
  readonly lender?: SlotName;
  /** It was asked to end because that one's container has. */
  readonly orphaned?: true;
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
      ...(container.lender === undefined ? {} : { lender: container.lender }),
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
  for (const orphan of listed.filter((one) => isOrphan(one, listed))) {
    const asked = value.known[orphan.id]?.orphaned === true;
    known[orphan.id] = { ...known[orphan.id]!, orphaned: true };
    effects.push(...endOrphan(orphan.id, orphan.key, orphan.lender ?? '', asked));
  }
  const { reason: before, ...kept } = value;
  if (before) effects.push(emit('runtime.recovered', 'containerd', 'the container runtime answers again'));
  return [{ ...kept, known }, effects];
};

/** Its network ended with the container that it was lent by; a later one of that slot has another. */
function isOrphan(one: ContainerStatus, listed: readonly ContainerStatus[]): boolean {
  const { lender, createdAt } = one;
  if (lender === undefined || (one.phase !== 'running' && one.phase !== 'paused')) return false;
  return !listed.some(
    (other) =>
      other.key.slot === lender &&
      (other.phase === 'running' || other.phase === 'paused') &&
      other.createdAt <= createdAt,
  );
}

/** It ends, and starts anew as its service says it is to be restarted: by its signal first, at the next look by force. */
function endOrphan(id: string, { slot }: RunKey, lender: SlotName, asked: boolean): readonly Effect[] {
  const answer = { done: 'orphan.asked', failed: 'orphan.asked' };
  const call = { port: 'containers', op: asked ? 'kill' : 'signal', args: { id } } as const;
  const text = `${slot} ends: ${lender}, whose network it has, has ended`;
  const why = reason('HM-CONTAINER-PEER', text, { slot, lender });
  return [
    drive(`orphan:${id}`, call, answer, limits.runtimeCallMs),
    ...(asked ? [] : [emit('container.orphaned', slot, text, why, 'warning')]),
  ];
}

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
  if (news.type === 'exited') return orphaned(value, key, [exited(key, news.exit)]);
  const { paused: _, ...before } = value.known[news.id]!;
  const known = { ...value.known, [news.id]: news.paused ? { ...before, paused: true as const } : before };
  return [{ ...value, known }, [paused(key, news.paused)]];
};

/** At once, and not when the next list shows it. */
function orphaned(value: Value, { slot }: RunKey, told: readonly Effect[]): Decision<Value> {
  const orphans = Object.entries(value.known).filter(([, one]) => one.lender === slot && !one.orphaned);
  const known = { ...value.known };
  for (const [id, one] of orphans) known[id] = { ...one, orphaned: true };
  return [
    orphans.length > 0 ? { ...value, known } : value,
    [...told, ...orphans.flatMap(([id, one]) => endOrphan(id, one.key, slot, false))],
  ];
}

/** A container actor tells what it started, so that its exit needs no list. */
const learn = (
  value: Value,
  { id, key, lender }: { id: string; key: RunKey; lender?: SlotName },
): Decision<Value> => {
  const learnt = { key, since: value.calls, ...(lender === undefined ? {} : { lender }) };
  return [{ ...value, known: { ...value.known, [id]: learnt } }, []];
};

const unlearn = (value: Value, event: { id: string }): Decision<Value> => {
  const { [event.id]: gone, ...known } = value.known;
  return [gone ? { ...value, known } : value, []];
};

export const runtimeWatchSteps = { follow, list, compare, unlisted, pass, learn, unlearn };
