/**
 * The app manager's data and steps: a mirror of the store, what nodes report, the round of reconciling that is
 * being written, and operators' commands under way. It acts by transactions only, never by orders to nodes.
 */
import { drive, emit, send, type Decision, type Effect } from '../effects.ts';
import { reason, type Reason } from '../errors.ts';
import { limits } from '../limits.ts';
import { keys } from '../state/keys.ts';
import { advance, emptyMirror, mirrorOf, under, type Mirror } from '../state/mirror.ts';
import {
  comparePositions,
  type KeyValue,
  type Position,
  type StoreEvent,
  type TxnResult,
} from '../state/model.ts';
import { paths } from '../wire/paths.ts';
import { decideCommand, type AppCommand } from './commands.ts';
import type { AppRecord, AppSpec, SlotName } from './model.ts';
import { withHostPorts, type BusyPort } from './host-ports.ts';
import { planOf, type Digests } from './plan/plan.ts';
import { findRevision, listRevisions } from './plan/revisions.ts';
import { reconcileApp, revisionOf, type Desk, type Writes } from './reconcile.ts';
import type { SlotStatus } from './status.ts';
import { viewOf } from './view.ts';

interface PendingCommand {
  readonly command: AppCommand;
  readonly replyTo?: string;
  readonly answer: Readonly<Record<string, unknown>>;
  readonly tries: number;
}

export interface AppsValue {
  readonly node: string;
  readonly mirror: Mirror;
  /** What was listed from a store that the guard has not confirmed since. */
  readonly candidate?: Mirror;
  readonly observed: Readonly<Record<SlotName, SlotStatus>>;
  readonly calls: number;
  /** By write id. */
  readonly commands: Readonly<Record<string, PendingCommand>>;
  /** Lost a race: decided again once the mirror has caught up. */
  readonly again: readonly PendingCommand[];
  /** The mirror must reach this before the next round: what was written must be seen first. */
  readonly awaited: Position;
  readonly reason?: Reason;
}

type Value = AppsValue;
const maxTries = 5;
/** The fact that follows each command. */
const accepted = {
  'app.deploy': 'app.deployed',
  'app.scale': 'app.scaled',
  'app.restart': 'app.restarted',
  'app.remove': 'app.removed',
} as const;

export function freshApps(node: string): AppsValue {
  return {
    node,
    mirror: emptyMirror,
    observed: {},
    calls: 0,
    commands: {},
    again: [],
    awaited: { epoch: 0, revision: 0 },
  };
}

export function deskOf(value: Value): Desk {
  return { node: value.node, mirror: value.mirror, observed: value.observed };
}

/** The writes of the next round: the first app that differs. */
export function nextRound(value: Value): Writes | undefined {
  const { mirror, observed } = value;
  if (comparePositions(mirror.position, value.awaited) < 0) return undefined;
  const known = rounds.get(mirror);
  if (known && standAlike(known.observed, observed)) return known.writes;
  const writes = findRound(deskOf(value));
  rounds.set(mirror, { observed, ...(writes ? { writes } : {}) });
  return writes;
}

/** Asked after every message, and most messages change nothing that a round looks at. */
const rounds = new WeakMap<Mirror, { readonly observed: AppsValue['observed']; readonly writes?: Writes }>();

function findRound(desk: Desk): Writes | undefined {
  for (const row of under<AppRecord>(desk.mirror, keys.apps)) {
    const writes = reconcileApp(desk, row.value);
    if (writes.then.length > 0) return writes;
  }
  return undefined;
}

/** The same slots in the same places, as far as reconciling looks at them. */
function standAlike(a: AppsValue['observed'], b: AppsValue['observed']): boolean {
  if (a === b) return true;
  const slots = Object.keys(a);
  if (slots.length !== Object.keys(b).length) return false;
  return slots.every((slot) => {
    const before = a[slot];
    const after = b[slot];
    if (before === after) return true;
    return (
      before?.placement === after?.placement &&
      before?.phase === after?.phase &&
      before?.readiness === after?.readiness &&
      before?.settled === after?.settled
    );
  });
}

const begin = (value: Value): Decision<Value> => [
  value,
  [send(paths.manager, { type: 'observed.repeat', to: paths.apps })],
];
const askTrust = (value: Value): Decision<Value> => [
  value,
  [send(paths.guard, { type: 'guard.report', to: paths.apps })],
];

/** Commands that would be decided again are refused: carried out much later, they would surprise who gave them. */
const noteDoubt = (value: Value, event: { reason?: Reason; error?: Reason }): Decision<Value> => {
  const because = event.reason ?? event.error ?? reason('HM-STORE-DOWN');
  const refusals = value.again.flatMap((pending) => reply(pending, { error: because }));
  return [{ ...value, reason: because, again: [] }, refusals];
};

const list = (value: Value): Decision<Value> => {
  const calls = value.calls + 1;
  const call = { port: 'store', op: 'list', args: { prefix: '' } } as const;
  return [
    { ...value, calls },
    [drive(`list:${calls}`, call, { done: 'apps.listed', failed: 'apps.unlisted' }, limits.runtimeCallMs)],
  ];
};

const listed = (
  value: Value,
  event: { value: { kvs: readonly KeyValue[]; position: Position } },
): Decision<Value> => {
  const { kvs, position } = event.value;
  return [
    { ...value, candidate: mirrorOf(kvs, position) },
    [{ do: 'watch', id: 'store', source: { of: 'store', prefix: '', after: position } }],
  ];
};

/** The store is the right one now, and the watch has stood since before it was asked: so the list was the right one's too. */
const confirmed = (value: Value): Decision<Value> => {
  const { reason: _, candidate, ...rest } = value;
  const mirror = candidate ?? rest.mirror;
  // What was awaited may have been another store's position; what was written there is in the list, or never will be.
  return decideAgain({ ...rest, mirror, awaited: mirror.position });
};

const changed = (
  value: Value,
  event: { events: readonly StoreEvent[]; position: Position },
): Decision<Value> => {
  const { candidate, mirror } = value;
  if (candidate) return [{ ...value, candidate: advance(candidate, event.events, event.position) }, []];
  return decideAgain({ ...value, mirror: advance(mirror, event.events, event.position) });
};

const noteSlots = (
  value: Value,
  event: { slots: readonly SlotStatus[]; gone: readonly SlotName[]; whole?: boolean },
): Decision<Value> => {
  const observed: Record<SlotName, SlotStatus> = event.whole ? {} : { ...value.observed };
  for (const slot of event.slots) observed[slot.slot] = slot;
  for (const slot of event.gone) delete observed[slot];
  return [{ ...value, observed }, []];
};

const writeRound = (value: Value): Decision<Value> => {
  const writes = nextRound(value);
  if (!writes) return [value, []];
  const calls = value.calls + 1;
  return [
    { ...value, calls },
    [{ do: 'write', id: `round:${calls}`, txn: writes, done: 'round.written', failed: 'round.unwritten' }],
  ];
};

/** Also after a lost race: the mirror must see who won before the next round. */
const roundWritten = (value: Value, event: { value: TxnResult }): Decision<Value> => [
  awaitPosition(value, event.value.position),
  [],
];

function awaitPosition(value: Value, position: Position): Value {
  return comparePositions(position, value.awaited) > 0 ? { ...value, awaited: position } : value;
}

const command = (value: Value, event: AppCommand & { replyTo?: string }): Decision<Value> => {
  const { replyTo, ...rest } = event;
  return attempt(value, {
    command: rest as AppCommand,
    ...(replyTo === undefined ? {} : { replyTo }),
    answer: {},
    tries: 0,
  });
};

function attempt(value: Value, pending: PendingCommand): Decision<Value> {
  const verdict = decideCommand(deskOf(value), pending.command);
  if ('refusal' in verdict) return [value, reply(pending, { error: verdict.refusal })];
  if (verdict.writes.then.length === 0) return [value, reply(pending, { value: verdict.answer })];
  const calls = value.calls + 1;
  const id = `command:${calls}`;
  const tried = { ...pending, answer: verdict.answer, tries: pending.tries + 1 };
  return [
    { ...value, calls, commands: { ...value.commands, [id]: tried } },
    [{ do: 'write', id, txn: verdict.writes, done: 'command.written', failed: 'command.unwritten' }],
  ];
}

function reply(pending: PendingCommand, answer: { value: unknown } | { error: Reason }): readonly Effect[] {
  return pending.replyTo === undefined ? [] : [{ do: 'reply', to: pending.replyTo, ...answer }];
}

const commandWritten = (
  value: Value,
  event: { id: string; value?: TxnResult; error?: Reason },
): Decision<Value> => {
  const { [event.id]: pending, ...commands } = value.commands;
  if (!pending) return [value, []];
  const next = { ...value, commands };
  if (!event.value) return [next, reply(pending, { error: event.error ?? reason('HM-STORE-DOWN') })];
  const awaited = awaitPosition(next, event.value.position);
  if (event.value.succeeded) {
    const subject = 'spec' in pending.command ? pending.command.spec.name : pending.command.app;
    const told = emit(accepted[pending.command.type], subject, factText(pending));
    return [awaited, [...reply(pending, { value: pending.answer }), told]];
  }
  if (pending.tries >= maxTries) return [awaited, reply(pending, { error: reason('HM-APP-CONFLICT') })];
  const kept = { ...awaited, again: [...value.again, pending] };
  // Who won may have been seen already: then nothing more comes that would bring it up again.
  return value.candidate || value.reason ? [kept, []] : decideAgain(kept);
};

/** What was accepted, for people. */
function factText({ command: asked, answer }: PendingCommand): string {
  if (asked.type === 'app.deploy')
    return `${asked.spec.name} is to be at revision ${String(answer['revision'])}`;
  if (asked.type === 'app.scale') return `${asked.app}/${asked.service} is to have ${asked.replicas}`;
  if (asked.type === 'app.remove') return `${asked.app} is to go${asked.volumes ? ', with its volumes' : ''}`;
  const of = asked.service === undefined ? '' : `/${asked.service}`;
  return `${asked.app}${of}${asked.index === undefined ? '' : `.${asked.index}`} is to start anew`;
}

function decideAgain(value: Value): Decision<Value> {
  if (value.again.length === 0 || comparePositions(value.mirror.position, value.awaited) < 0)
    return [value, []];
  let next: Value = { ...value, again: [] };
  const effects: Effect[] = [];
  for (const pending of value.again) {
    const [tried, more] = attempt(next, pending);
    next = tried;
    effects.push(...more);
  }
  return [next, effects];
}

const refuse = (value: Value, event: { replyTo?: string }): Decision<Value> => [
  value,
  event.replyTo === undefined
    ? []
    : [{ do: 'reply', to: event.replyTo, error: value.reason ?? reason('HM-STORE-DOWN') }],
];

const report = (value: Value, event: { replyTo?: string }): Decision<Value> => {
  const apps = under<AppRecord>(value.mirror, keys.apps).map((row) => viewOf(deskOf(value), row.value));
  return [value, event.replyTo === undefined ? [] : [{ do: 'reply', to: event.replyTo, value: { apps } }]];
};

/** A step that answers a question about what the mirror holds, and changes nothing. */
function answering<Event>(
  answer: (desk: Desk, event: Event) => { readonly value: unknown } | { readonly error: Reason },
) {
  return (value: Value, event: Event & { replyTo?: string }): Decision<Value> => {
    if (event.replyTo === undefined) return [value, []];
    return [value, [{ do: 'reply', to: event.replyTo, ...answer(deskOf(value), event) }]];
  };
}

const show = answering((desk, event: { app: string }) => {
  const record = desk.mirror.rows[keys.app(event.app)]?.value as AppRecord | undefined;
  const spec = record && revisionOf(desk, record)?.spec;
  if (!spec)
    return { error: reason('HM-APP-UNKNOWN', `no app ${event.app} is deployed`, { app: event.app }) };
  return { value: { view: viewOf(desk, record), spec, record } };
});

type PlanWish = { spec: AppSpec; digests: Digests; busy?: readonly BusyPort[] };

const plan = answering((desk, { spec, digests, busy = [] }: PlanWish) => {
  const placed = withHostPorts(desk, spec, busy);
  return 'code' in placed ? { error: placed } : { value: planOf(desk, placed, digests) };
});

const revisions = answering((desk, { app }: { app: string }) => listRevisions(desk, app));

const findRevisionOf = answering((desk, { app, revision }: { app: string; revision?: number }) =>
  findRevision(desk, app, revision),
);

export const appsSteps = {
  begin,
  askTrust,
  noteDoubt,
  list,
  listed,
  confirmed,
  changed,
  noteSlots,
  writeRound,
  roundWritten,
  command,
  commandWritten,
  refuse,
  report,
  show,
  plan,
  revisions,
  findRevisionOf,
};

export const appsGuards = { hasRound: (value: Value) => nextRound(value) !== undefined };
