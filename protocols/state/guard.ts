/**
 * May the store be followed? A store is trusted when this node has never followed one, or when it is the very
 * one it followed last and not older than what it saw. Anything else stops nothing: the node goes on with its
 * journal and says why, until an operator confirms.
 */
import { drive, emit, send, type Decision, type Effect } from '../effects.ts';
import { reason, type Reason } from '../errors.ts';
import { limits } from '../limits.ts';
import { paths } from '../wire/paths.ts';
import { comparePositions, type StoreStatus } from './model.ts';

/** Journal entry `store/seen`: the newest position this node acted on. */
export interface StoreSeen {
  readonly id: string;
  readonly epoch: number;
  readonly revision: number;
}

export const seenEntry = 'store/seen';

/** The store as it is, for who takes it so. */
export const seenOf = ({ identity, position }: StoreStatus): StoreSeen => ({ id: identity.id, ...position });

export interface GuardValue {
  readonly calls: number;
  readonly store?: StoreStatus;
  /** The last verdict that was told; absent before the first. */
  readonly trusts?: boolean;
  readonly reason?: Reason;
  /** Who asked since the look began: they want to know of the store as it is from then on. */
  readonly askers: readonly string[];
  /** An `ask` that waits for the acceptance to be durable. */
  readonly replyTo?: string;
}

type Value = GuardValue;

/** `undefined` when the store may be followed. */
export function doubt(seen: StoreSeen | undefined, store: StoreStatus): Reason | undefined {
  if (!seen) return undefined;
  const evidence = {
    seenStore: seen.id,
    seenRevision: seen.revision,
    store: store.identity.id,
    revision: store.position.revision,
  };
  if (store.identity.id !== seen.id) {
    return reason(
      'HM-STORE-FOREIGN',
      `the store ${store.identity.id} is not the one this node followed (${seen.id})`,
      evidence,
    );
  }
  if (comparePositions(store.position, seen) < 0) {
    const text = `the store is at revision ${store.position.revision}, this node has seen ${seen.revision}: it was restored from an older copy`;
    return reason('HM-STORE-FOREIGN', text, evidence);
  }
  return undefined;
}

const followers = [paths.manager, paths.apps, paths.network, paths.volumes] as const;

const look = (value: Value): Decision<Value> => {
  const calls = value.calls + 1;
  const call = { port: 'store', op: 'status', args: {} } as const;
  return [
    { ...value, calls },
    [
      // A look that is under way saw the store before it was asked.
      { do: 'cancel', token: `status:${value.calls}` },
      { do: 'cancel', token: `seen:${value.calls}` },
      drive(
        `status:${calls}`,
        call,
        { done: 'store.answered', failed: 'store.unanswered' },
        limits.runtimeCallMs,
      ),
    ],
  ];
};

const recall = (value: Value, event: { value: StoreStatus }): Decision<Value> => {
  const call = { port: 'journal', op: 'read', args: { prefix: seenEntry } } as const;
  const calls = value.calls + 1;
  return [
    { ...value, calls, store: event.value },
    [drive(`seen:${calls}`, call, { done: 'seen.read', failed: 'store.unanswered' }, limits.runtimeCallMs)],
  ];
};

const trust = (value: Value): Decision<Value> => {
  const { reason: before, ...kept } = value;
  const told = before ? [emit('store.trusted', 'store', 'the store is followed again')] : [];
  const next = { ...kept, trusts: true, askers: [] };
  const hear = value.trusts === true ? value.askers : followers;
  return [next, [...told, ...hear.map((to) => verdict(next, to))]];
};

const doubted = (
  value: Value,
  event: { value?: { entries: Readonly<Record<string, unknown>> }; error?: Reason },
): Decision<Value> => {
  const seen = event.value?.entries[seenEntry] as StoreSeen | undefined;
  const because =
    event.error ?? (value.store ? doubt(seen, value.store) : undefined) ?? reason('HM-STORE-DOWN');
  const next = { ...value, reason: because, trusts: false, askers: [] };
  const told =
    value.reason?.code === because.code
      ? []
      : [emit('store.doubted', 'store', because.message, because, 'error')];
  return [next, [...told, ...followers.map((to) => verdict(next, to))]];
};

function verdict(value: Value, to: string): Effect {
  if (value.reason) return send(to, { type: 'store.doubted', reason: value.reason });
  return send(to, { type: 'store.trusted', store: value.store?.identity });
}

/** While the store is silent there is nothing to look at. */
const answer = (value: Value, event: { to: string }): Decision<Value> => [value, [verdict(value, event.to)]];

const noteAsker = (value: Value, event: { to: string }): Decision<Value> => [
  value.askers.includes(event.to) ? value : { ...value, askers: [...value.askers, event.to] },
  [],
];

/** The operator confirms: from now on this store, as it is, is the one to follow. */
const accept = (value: Value, event: { replyTo?: string }): Decision<Value> => {
  if (!value.store) return refuseAccept(value, event);
  const seen = seenOf(value.store);
  const calls = value.calls + 1;
  const call = { port: 'journal', op: 'append', args: { entries: { [seenEntry]: seen } } } as const;
  return [
    { ...value, calls, ...(event.replyTo === undefined ? {} : { replyTo: event.replyTo }) },
    [
      drive(
        `accept:${calls}`,
        call,
        { done: 'seen.written', failed: 'seen.unwritten' },
        limits.runtimeCallMs,
      ),
    ],
  ];
};

const refuseAccept = (value: Value, event: { replyTo?: string }): Decision<Value> => [
  value,
  event.replyTo === undefined
    ? []
    : [{ do: 'reply', to: event.replyTo, error: value.reason ?? reason('HM-STORE-DOWN') }],
];

const confirmAccept = (value: Value, event: { error?: Reason }): Decision<Value> => {
  const { replyTo, ...kept } = value;
  if (replyTo === undefined) return [kept, []];
  return [
    kept,
    [
      event.error
        ? { do: 'reply', to: replyTo, error: event.error }
        : { do: 'reply', to: replyTo, value: {} },
    ],
  ];
};

/** Nothing to confirm: the store is followed already. */
const accepted = (value: Value, event: { replyTo?: string }): Decision<Value> => [
  value,
  event.replyTo === undefined ? [] : [{ do: 'reply', to: event.replyTo, value: {} }],
];

export const guardSteps = {
  look,
  recall,
  trust,
  doubted,
  answer,
  noteAsker,
  accept,
  refuseAccept,
  confirmAccept,
  accepted,
};

export const guardGuards = {
  /** There is a store, and it is not the right one: an operator may confirm it, also while it is looked at again. */
  isForeign: (value: Value) => value.trusts === false && value.reason?.code === 'HM-STORE-FOREIGN',
  isOurStore: (value: Value, event: { value: { entries: Readonly<Record<string, unknown>> } }) =>
    value.store !== undefined &&
    doubt(event.value.entries[seenEntry] as StoreSeen | undefined, value.store) === undefined,
};
