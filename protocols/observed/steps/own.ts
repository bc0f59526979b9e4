/** This node's own records: measured and heard of slots, gathered, signed, told. */
import type { Capacity } from '../../apps/capacity.ts';
import type { SlotName } from '../../apps/model.ts';
import type { SlotStatus } from '../../apps/status.ts';
import type { RuntimeInfo } from '../../containers/model.ts';
import { drive, emit, send, type Decision, type Effect } from '../../effects.ts';
import { reason, type Reason } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { paths } from '../../wire/paths.ts';
import { at, withHeld } from '../book.ts';
import { endpointOf, type EndpointRecord } from '../endpoints.ts';
import { digestOf, type RecordDigest, type SetVersion } from '../digest.ts';
import type { HeldSet, MachineFacts, RecordKey } from '../model.ts';
import {
  containerKey,
  containerRecord,
  endpointKey,
  factsKey,
  factsOf,
  fits,
  resourcesKey,
  resourcesOf,
} from '../own-records.ts';
import type { Seal } from '../ports.ts';
import { emptyContent, revised } from '../record-set.ts';
import type { ObservedValue } from './value.ts';

type Value = ObservedValue;

const begin = (value: Value): Decision<Value> => [
  value,
  [send(paths.manager, { type: 'observed.repeat', to: paths.observed })],
];

const note = (
  value: Value,
  event: {
    slots: readonly SlotStatus[];
    gone: readonly SlotName[];
    whole?: boolean;
    complete?: boolean;
    reserved?: Capacity;
  },
): Decision<Value> => {
  const slots: Record<SlotName, SlotStatus> = event.whole ? {} : { ...value.slots };
  for (const slot of event.slots) slots[slot.slot] = slot;
  for (const slot of event.gone) delete slots[slot];
  return [
    {
      ...value,
      slots,
      news: value.news + 1,
      reserved: event.reserved ?? value.reserved,
      ...(event.complete ? { complete: true as const } : {}),
    },
    [],
  ];
};

/** The runtime is asked until it has answered once, and after that no more: another one means another daemon. */
const measure = (value: Value): Decision<Value> => {
  const machine = drive(
    'measure',
    { port: 'machine', op: 'measure', args: {} },
    { done: 'machine.measured', failed: 'machine.unmeasured' },
    limits.runtimeCallMs,
  );
  const runtime = drive(
    'runtime',
    { port: 'containers', op: 'info', args: {} },
    { done: 'runtime.described', failed: 'runtime.silent' },
    limits.runtimeCallMs,
  );
  return [value, value.runtime ? [machine] : [machine, runtime]];
};

/**
 * What never changes is signed anew as well, before what vouches for the signer ends: whoever comes later would refuse it.
 * The new measurement makes it another set. Certificates are renewed at two thirds of their term: a new one vouches then.
 */
const signedShare = 5 / 6;

const measured = (value: Value, event: { value: MachineFacts; at: number }): Decision<Value> => {
  const machine = event.value;
  const before = event.at >= (value.signAnewAt ?? Number.POSITIVE_INFINITY) ? undefined : value.resources;
  const resources = resourcesOf(machine, value.reserved, event.at, before);
  const moved = resources !== value.resources || !value.machine;
  return [{ ...value, machine, resources, news: value.news + (moved ? 1 : 0) }, []];
};

const described = (value: Value, event: { value: RuntimeInfo }): Decision<Value> => {
  const { cdi: _, ...runtime } = event.value;
  const { runtimeReason: _silent, ...rest } = value;
  return [{ ...rest, runtime, news: value.news + 1 }, []];
};

const silent = (value: Value, event: { error: Reason }): Decision<Value> => {
  const { code, message } = event.error;
  const told = value.runtimeReason?.code === code;
  if (told) return [value, []];
  return [{ ...value, runtimeReason: reason(code, message.slice(0, 200)), news: value.news + 1 }, []];
};

/** What the records should say now. What does not fit is left out: one long record must not silence the node. */
function wished(value: Value): Record<RecordKey, unknown> {
  const { machine, words, runtime, runtimeReason, resources } = value;
  const wish: Record<RecordKey, unknown> = {};
  if (machine) {
    const facts = factsOf(machine, words, runtime, runtimeReason);
    const brief = { ...facts, labels: {} };
    if (fits(facts)) wish[factsKey] = facts;
    else if (fits(brief)) wish[factsKey] = brief;
  }
  if (resources) wish[resourcesKey] = resources;
  const told = at(value.held, value.self)?.records ?? {};
  for (const status of Object.values(value.slots).slice(0, limits.recordsSlots)) {
    const record = containerRecord(status);
    if (!record) continue;
    wish[containerKey(status.slot)] = record;
    const key = endpointKey(status.slot);
    const endpoint = endpointOf(status, told[key]?.value as EndpointRecord | undefined);
    if (endpoint && fits(endpoint)) wish[key] = endpoint;
  }
  return wish;
}

/** Signs what changed. Nothing did: what was heard came to the same. */
const seal = (value: Value): Decision<Value> => {
  const own = at(value.held, value.self);
  const sequence = value.sequence + 1;
  const wish = wished(value);
  const before = own ?? emptyContent;
  // The first word of a life is said even when it is nothing: what a former one said stands until then.
  const stands = own !== undefined && own.boot === value.boot && own.sequence === value.sequence;
  const next = revised(before, wish, sequence) ?? (stands ? undefined : before);
  // What others have of this boot and is not known here, no difference leads on from.
  const content = next && (stands ? next : { ...next, gone: [], floor: sequence });
  if (!content) return [{ ...value, signed: value.news }, []];
  const { boot, news } = value;
  const args = { boot, sequence, records: content.records };
  const answer = { done: 'records.sealed', failed: 'records.unsealed' };
  return [
    { ...value, signing: { news, content } },
    [drive(`seal:${boot}.${sequence}`, { port: 'seals', op: 'seal', args }, answer, limits.runtimeCallMs)],
  ];
};

const sealed = (value: Value, event: { value: Seal; at: number }): Decision<Value> => {
  const { signing, unsigned: _, signAnewAt: _before, ...rest } = value;
  if (!signing) return [value, []];
  const sequence = value.sequence + 1;
  const { head, hash, at: signedAt, until } = event.value;
  const anew = until === undefined ? {} : { signAnewAt: signedAt + (until - signedAt) * signedShare };
  const set: HeldSet = {
    ...signing.content,
    head,
    hash,
    signedAt,
    boot: value.boot,
    sequence,
    name: value.name,
    confirmedAt: event.at,
  };
  const next = withHeld({ ...rest, ...anew, sequence, signed: signing.news }, value.self, set);
  return [next, [tell(digestOf(value.self, set))]];
};

/** Into gossip. That it came there is not answered for: a comparison finds what was not told. */
export function tell(digest: RecordDigest): Effect {
  return drive(
    `tell:${digest.id}`,
    { port: 'peers', op: 'tell', args: { digest } },
    { done: 'digest.told', failed: 'digest.untold' },
    limits.runtimeCallMs,
  );
}

/**
 * The next set is another than this version, and newer. What is being signed now would not be. Records keep the numbers at
 * which they changed: the set's own never goes back below one of them.
 */
export function outdoing(value: Value, { boot, sequence }: SetVersion): Value {
  const { signing: _, ...rest } = value;
  return { ...rest, boot, sequence: Math.max(value.sequence, sequence), news: value.news + 1 };
}

/** What was said in the boot that its journal counted, others have buried with that life, or hold for older. */
const raised = (value: Value, { boot }: { boot: number }): Decision<Value> => [
  boot > value.boot ? outdoing(value, { boot, sequence: value.sequence }) : value,
  [],
];

const unsealed = (value: Value, event: { error: Reason }): Decision<Value> => {
  const { signing: _, ...rest } = value;
  const { error } = event;
  const known = value.unsigned === error.code;
  const told = known ? [] : [emit('records.unsigned', value.name, error.message, error, 'error')];
  return [{ ...rest, unsigned: error.code }, told];
};

export const ownSteps = { begin, note, measure, measured, described, silent, seal, sealed, raised, unsealed };

export const ownGuards = {
  differs: (value: Value) => value.news !== value.signed,
  isSigned: (value: Value) => value.news === value.signed && !value.signing,
  /** Who tells before all of its slots have spoken tells of containers that are gone. */
  isComplete: (value: Value) => value.complete === true && value.resources !== undefined,
};
