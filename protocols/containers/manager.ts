/**
 * The container manager: which slots this node runs. It follows the node's own assignments in the store, writes
 * them to the journal before acting on them, keeps one slot actor for each, and holds what they report. While
 * the store is silent or not trusted it runs what the journal says and stops nothing.
 */
import { reservedByHeld } from '../apps/capacity.ts';
import type { Assignment, SlotName } from '../apps/model.ts';
import type { SlotStatus } from '../apps/status.ts';
import { drive, schedule, send, type Decision, type Effect } from '../effects.ts';
import { limits } from '../limits.ts';
import { keys } from '../state/keys.ts';
import type { Position, StoreEvent } from '../state/model.ts';
import { advance, emptyMirror, mirrorOf, under, type Mirror } from '../state/mirror.ts';
import type { ActorPath } from '../wire/address.ts';
import { paths, slotPath } from '../wire/paths.ts';
import type { ManagerEventOf } from './manager-events.ts';
import { assignmentEntry, endingEntry, slotEntries } from './slot/value.ts';

export interface ManagerValue {
  readonly node: string;
  /** Who hears of slots besides those that always do; told what the slots reserve, too. */
  readonly observers?: readonly ActorPath[];
  /** What the store wants; absent until the store was read under trust. */
  readonly wanted?: Mirror;
  /** What was listed from a store that the guard has not confirmed since. */
  readonly candidate?: Mirror;
  readonly storeId?: string;
  /** What the journal holds, and so what runs. */
  readonly held: Readonly<Record<SlotName, Assignment>>;
  /** Slots that were told to end and have not said that they are gone. */
  readonly ending: Readonly<Record<SlotName, true>>;
  readonly observed: Readonly<Record<SlotName, SlotStatus>>;
  /** Containers of slots that are wanted and not held yet: shown to them once they are there. */
  readonly shown?: Readonly<Record<SlotName, readonly ManagerEventOf<'container.found'>[]>>;
  /** The journal was read: `held` is known. */
  readonly recalled?: true;
  readonly calls: number;
  /** The append that is under way: what `held` becomes. */
  readonly writing?: Readonly<Record<SlotName, Assignment | null>>;
}

type Value = ManagerValue;

const recoverJournal = (value: Value): Decision<Value> => {
  const call = { port: 'journal', op: 'read', args: { prefix: slotEntries } } as const;
  return [
    value,
    [drive('recover', call, { done: 'journal.read', failed: 'journal.failed' }, limits.runtimeCallMs)],
  ];
};

const recovered = (value: Value, event: ManagerEventOf<'journal.read'>): Decision<Value> => {
  const held: Record<SlotName, Assignment> = {};
  const ending: Record<SlotName, true> = {};
  for (const [key, entry] of Object.entries(event.value.entries)) {
    // Also when its assignment is gone already: its address and its logs are not.
    if (key.endsWith(endingEntry('').slice(slotEntries.length)))
      ending[key.slice(slotEntries.length, key.lastIndexOf('|'))] = true;
    if (!key.endsWith(assignmentEntry('').slice(slotEntries.length))) continue;
    const assignment = entry as Assignment;
    if (!event.value.entries[endingEntry(assignment.slot)]) held[assignment.slot] = assignment;
  }
  return [{ ...value, held, ending, recalled: true }, []];
};

/** Start what is held; starting a slot that lives is done already. Asked again now and then, and after a crash of the slots' supervisor. */
const ensureSlots = (value: Value): Decision<Value> => [
  value,
  [
    { do: 'watch', id: 'slots', source: { of: 'actor', path: paths.slots } },
    ...Object.keys(value.held).map((slot) => startSlot(slot)),
  ],
];

function startSlot(slot: SlotName): Effect {
  return send(paths.slots, {
    type: 'child.start',
    spec: {
      id: slot,
      machine: 'slot',
      input: { slot },
      restart: 'transient',
      shutdown: limits.shutdownMs,
      type: 'worker',
      backoff: { minMs: 100, maxMs: 5_000, factor: 2, jitter: 0.2, resetAfterMs: 60_000 },
    },
  });
}

const askTrust = (value: Value): Decision<Value> => [
  value,
  [send(paths.guard, { type: 'guard.report', to: paths.manager })],
];

const list = (value: Value): Decision<Value> => {
  const calls = value.calls + 1;
  const call = { port: 'store', op: 'list', args: { prefix: keys.assignments(value.node) } } as const;
  return [
    { ...value, calls },
    [
      drive(
        `list:${calls}`,
        call,
        { done: 'assignments.listed', failed: 'assignments.unlisted' },
        limits.runtimeCallMs,
      ),
    ],
  ];
};

const listed = (value: Value, event: ManagerEventOf<'assignments.listed'>): Decision<Value> => {
  const candidate = mirrorOf(event.value.kvs, event.value.position);
  return [{ ...value, candidate }, [watch(value, candidate.position)]];
};

/** The store is the right one now, and the watch has stood since before it was asked: so the list was the right one's too. */
const confirmed = (value: Value, event: ManagerEventOf<'store.trusted'>): Decision<Value> => {
  const { candidate, ...rest } = value;
  return [{ ...rest, ...(candidate ? { wanted: candidate } : {}), storeId: event.store.id }, []];
};

function watch(value: Value, after: Position): Effect {
  return {
    do: 'watch',
    id: 'assignments',
    source: { of: 'store', prefix: keys.assignments(value.node), after },
  };
}

const changed = (
  value: Value,
  event: { events: readonly StoreEvent[]; position: Position },
): Decision<Value> => {
  if (value.candidate)
    return [{ ...value, candidate: advance(value.candidate, event.events, event.position) }, []];
  if (!value.wanted) return [value, []];
  return [{ ...value, wanted: advance(value.wanted, event.events, event.position) }, []];
};

/** The difference between wish and journal, as one append; `null` forgets a slot. */
export function difference(value: Value): Record<SlotName, Assignment | null> {
  const { wanted = emptyMirror, held } = value;
  const known = differences.get(wanted);
  if (known?.held === held) return known.change;
  const change = compare(value.node, wanted, held);
  differences.set(wanted, { held, change });
  return change;
}

/** Asked after every message, and most messages change neither side. */
const differences = new WeakMap<
  Mirror,
  { readonly held: ManagerValue['held']; readonly change: Record<SlotName, Assignment | null> }
>();

function compare(node: string, mirror: Mirror, held: ManagerValue['held']) {
  const change: Record<SlotName, Assignment | null> = {};
  const wanted = new Set<SlotName>();
  for (const { value: assignment } of under<Assignment>(mirror, keys.assignments(node))) {
    const { slot } = assignment;
    wanted.add(slot);
    const before = held[slot];
    if (before === assignment) continue;
    const newer = !before || assignment.placement > before.placement;
    const renewed =
      before?.placement === assignment.placement && JSON.stringify(before) !== JSON.stringify(assignment);
    if (newer || renewed) change[slot] = assignment;
  }
  for (const slot of Object.keys(held)) if (!wanted.has(slot)) change[slot] = null;
  return change;
}

const write = (value: Value): Decision<Value> => {
  const writing = difference(value);
  const calls = value.calls + 1;
  const entries: Record<string, unknown> = {};
  for (const [slot, assignment] of Object.entries(writing)) {
    // A slot that ends keeps its entry until it is gone: a crash in between must find it again, and end it.
    if (assignment) entries[assignmentEntry(slot)] = assignment;
    entries[endingEntry(slot)] = assignment ? undefined : true;
  }
  const position = value.wanted?.position;
  entries['store/seen'] = { id: value.storeId, epoch: position?.epoch, revision: position?.revision };
  const call = { port: 'journal', op: 'append', args: { entries } } as const;
  return [
    { ...value, writing, calls },
    [
      drive(
        `write:${calls}`,
        call,
        { done: 'assignments.written', failed: 'assignments.unwritten' },
        limits.runtimeCallMs,
      ),
    ],
  ];
};

const apply = (value: Value): Decision<Value> => {
  const held = { ...value.held };
  const ending = { ...value.ending };
  const effects: Effect[] = [];
  for (const [slot, assignment] of Object.entries(value.writing ?? {})) {
    if (!assignment) {
      ending[slot] = true;
      delete held[slot];
      effects.push(send(slotPath(slot), { type: 'slot.terminate' }));
      continue;
    }
    const lives = held[slot] !== undefined || ending[slot];
    held[slot] = assignment;
    delete ending[slot];
    effects.push(startSlot(slot));
    // A new slot reads its assignment from the journal.
    if (lives) effects.push(send(slotPath(slot), { type: 'slot.assigned', assignment }));
  }
  const { writing: _, ...rest } = value;
  return [{ ...rest, held, ending }, effects];
};

const note = (value: Value, event: { status: SlotStatus }): Decision<Value> => {
  const { slot } = event.status;
  // Said again because it was asked: no news.
  if (!value.shown?.[slot] && isSame(value.observed[slot], event.status)) return [value, []];
  const observed = { ...value.observed, [event.status.slot]: event.status };
  const { [slot]: waiting = [], ...others } = value.shown ?? {};
  const early = waiting.filter(({ key }) => key.placement > event.status.placement);
  const shown = early.length > 0 ? { ...others, [slot]: early } : others;
  const news = waiting
    .filter((one) => !early.includes(one))
    .map(({ type, key, id, found: phase }) => send(slotPath(slot), { type, key, id, found: phase }));
  const next = { ...value, observed, shown };
  return [next, [...publish(next, [event.status], []), ...news]];
};

function isSame(before: SlotStatus | undefined, after: SlotStatus): boolean {
  return before !== undefined && JSON.stringify(before) === JSON.stringify(after);
}

/** Every slot of this node has said where it stands: only then is what is missing really gone. */
function isComplete(value: Value): boolean {
  return (
    value.recalled === true && Object.keys(value.held).every((slot) => value.observed[slot] !== undefined)
  );
}

function publish(
  value: Value,
  changedSlots: readonly SlotStatus[],
  gone: readonly SlotName[],
): readonly Effect[] {
  const news = { type: 'observed.changed', slots: changedSlots, gone, complete: isComplete(value) };
  const { observers = [] } = value;
  const reserved = observers.length > 0 ? reservedByHeld(value.held) : undefined;
  return [
    ...[paths.apps, paths.registry, paths.volumes].map((to) => send(to, news)),
    ...observers.map((to) => send(to, { ...news, reserved })),
  ];
}

/** A slot has ended and said so: forget its assignment in the journal, free its address. */
const forget = (value: Value, event: { slot: SlotName }): Decision<Value> => {
  const { [event.slot]: _observed, ...observed } = value.observed;
  const { [event.slot]: again, ...held } = value.held;
  const gone = publish({ ...value, observed, held }, [], [event.slot]);
  // Wanted again meanwhile. The slot took the assignment out of the journal when it ended: it is written anew, then started.
  if (again) return [{ ...value, observed, held }, gone];
  if (value.writing?.[event.slot]) return [{ ...value, observed }, gone];
  const { [event.slot]: _ending, ...ending } = value.ending;
  const call = {
    port: 'journal',
    op: 'append',
    args: { entries: { [assignmentEntry(event.slot)]: undefined, [endingEntry(event.slot)]: undefined } },
  } as const;
  const calls = value.calls + 1;
  return [
    { ...value, observed, ending, calls },
    [
      drive(
        `forget:${calls}`,
        call,
        { done: 'slot.forgotten', failed: 'slot.forgotten' },
        limits.runtimeCallMs,
      ),
      drive(
        `logs:${calls}`,
        { port: 'volumes', op: 'pruneRuns', args: { slot: event.slot, keep: [] } },
        { done: 'slot.forgotten', failed: 'slot.forgotten' },
        limits.runtimeCallMs,
      ),
      send(paths.network, { type: 'address.release', slot: event.slot }),
      ...gone,
    ],
  ];
};

const report = (value: Value, event: { replyTo?: string }): Decision<Value> => [
  value,
  event.replyTo ? [{ do: 'reply', to: event.replyTo, value: { slots: Object.values(value.observed) } }] : [],
];

/** A consumer that starts anew wants everything once. */
const repeat = (value: Value, event: { to: string }): Decision<Value> => [
  value,
  [
    send(event.to, {
      type: 'observed.changed',
      slots: Object.values(value.observed),
      gone: [],
      whole: true,
      complete: isComplete(value),
      ...(value.observers?.includes(event.to as ActorPath) ? { reserved: reservedByHeld(value.held) } : {}),
    }),
  ],
];

/** Everything the runtime holds is shown to its slot; what no slot owns goes, once the store is trusted. */
const found = (value: Value, event: ManagerEventOf<'container.found'>): Decision<Value> => {
  const slot = event.key.slot;
  const held = value.held[slot];
  if (value.ending[slot] || (held && event.key.placement <= held.placement)) {
    const { type, key, id, found: phase } = event;
    return [value, [send(slotPath(slot), { type, key, id, found: phase })]];
  }
  // Wanted and about to be held, or of a later placement than a damaged journal knows: its slot's to judge, once that is there.
  if (held || !value.wanted || value.wanted.rows[keys.assignment(value.node, slot)]) {
    const others = (value.shown?.[slot] ?? []).filter((known) => known.id !== event.id);
    return [{ ...value, shown: { ...value.shown, [slot]: [...others, event] } }, []];
  }
  const call = { port: 'containers', op: 'remove', args: { id: event.id } } as const;
  return [
    value,
    [
      drive(
        `orphan:${event.id}`,
        call,
        { done: 'orphan.removed', failed: 'orphan.removed' },
        limits.runtimeCreateMs,
      ),
    ],
  ];
};

/** The supervisor of the slots was lost: it is started anew, empty, and may not be there yet. */
const ensureSoon = (value: Value): Decision<Value> => [
  value,
  [schedule('slots', limits.retryMs, { type: 'slots.due' })],
];

/** Everything once more, to everybody: a message that a full mailbox dropped is missed for no longer than this. */
const publishAll = (value: Value): Decision<Value> => [
  value,
  isComplete(value)
    ? [paths.apps, paths.registry, paths.volumes, ...(value.observers ?? [])].flatMap(
        (to) => repeat(value, { to })[1],
      )
    : [],
];

const askSlots = (value: Value): Decision<Value> => [
  value,
  [...Object.keys(value.held), ...Object.keys(value.ending)].map((slot) =>
    send(slotPath(slot), { type: 'slot.report' }),
  ),
];

/** Slots that ended under an earlier life are told again. */
const endAgain = (value: Value): Decision<Value> => [
  value,
  Object.keys(value.ending).flatMap((slot) => [
    startSlot(slot),
    send(slotPath(slot), { type: 'slot.terminate' }),
  ]),
];

export const managerSteps = {
  recoverJournal,
  recovered,
  ensureSlots,
  askTrust,
  list,
  listed,
  confirmed,
  changed,
  write,
  apply,
  note,
  forget,
  report,
  repeat,
  found,
  askSlots,
  endAgain,
  ensureSoon,
  publishAll,
};

export const managerGuards = {
  differs: (value: Value) => value.wanted !== undefined && Object.keys(difference(value)).length > 0,
};
