/**
 * One address a slot, for as long as the slot is here. It is in the journal before anyone uses it. A claim that finds
 * all blocks full waits for the next block, unless none can be had at present: then it is refused, and says why.
 */
import type { SlotName } from '../../apps/model.ts';
import { drive, emit, send, type Decision, type Effect } from '../../effects.ts';
import type { Reason } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { exhausted } from '../blocks.ts';
import { addressesLeft, claim, gatewayOf, withBlock } from './ipam.ts';
import { holdLinks, inherit, leave, renewLinks } from './links.ts';
import { addressEntry, type AddressClaim, type NetworkValue } from '../value.ts';

type Value = NetworkValue;

const refusal = ({ slot, to }: AddressClaim, because: Reason): Effect =>
  send(to, { type: 'address.refused', slot, reason: because });

function claimed(value: Value, { slot, to }: AddressClaim, address: string): Effect {
  return send(to, { type: 'address.claimed', slot, address, gateway: gatewayOf(value.blocks[0] ?? '') });
}

const allocate = (value: Value, { slot, to, id: container }: AddressClaim): Decision<Value> => {
  const asked = { slot, to, id: container };
  const held = value.allocation.owners[slot];
  const writing = Object.values(value.pending).some((entry) => entry.slot === slot);
  if (held !== undefined && !writing && !value.unkept[slot]) return [value, [claimed(value, asked, held)]];
  const answer = claim(held === undefined ? inherit(value, asked) : value.allocation, slot);
  if ('reason' in answer) {
    const because = value.doubt ?? value.shortage;
    if (because) return [value, [refusal(asked, because)]];
    return [{ ...value, waiting: [...withoutSlot(value.waiting, slot), asked] }, []];
  }
  const calls = value.calls + 1;
  const id = `address:${calls}`;
  const entries = { [addressEntry(slot)]: answer.address };
  const call = { port: 'journal', op: 'append', args: { entries } } as const;
  const pending = { ...value.pending, [id]: { ...asked, address: answer.address } };
  return [
    { ...value, calls, allocation: answer.allocation, pending },
    [drive(id, call, { done: 'address.kept', failed: 'address.unkept' }, limits.runtimeCallMs)],
  ];
};

const withoutSlot = (waiting: readonly AddressClaim[], slot: SlotName): readonly AddressClaim[] =>
  waiting.filter((one) => one.slot !== slot);

/** As many as there are addresses for, first come first served; the others wait on. */
function serveWaiting(value: Value): Decision<Value> {
  let next: Value = { ...value, waiting: [] };
  const effects: Effect[] = [];
  for (const asked of value.waiting) {
    const [after, asks] = allocate(next, asked);
    next = after;
    effects.push(...asks);
  }
  return [next, effects];
}

/** An address that could not be written stays its slot's: the journal may hold it all the same, and nobody else may get it. */
const handOver = (value: Value, event: { id: string; error?: Reason }): Decision<Value> => {
  const { [event.id]: entry, ...pending } = value.pending;
  if (!entry) return [value, []];
  const { slot, address } = entry;
  // Freed while it was being written: whoever asked is gone.
  if (value.allocation.owners[slot] !== address) return [{ ...value, pending }, []];
  if (event.error) {
    const unkept = { ...value.unkept, [slot]: true as const };
    return [{ ...value, pending, unkept }, [refusal(entry, event.error)]];
  }
  const { [slot]: _, ...unkept } = value.unkept;
  return [{ ...value, pending, unkept }, [claimed(value, entry, address)]];
};

/** The slot is gone: its address goes to whoever waits, else to whoever asks next. */
const free = (value: Value, event: { slot: SlotName }): Decision<Value> => {
  const waiting = withoutSlot(value.waiting, event.slot);
  if (value.allocation.owners[event.slot] === undefined) return [{ ...value, waiting }, []];
  const { [event.slot]: _, ...unkept } = value.unkept;
  const calls = value.calls + 1;
  const entries = { [addressEntry(event.slot)]: undefined };
  const call = { port: 'journal', op: 'append', args: { entries } } as const;
  const freed = drive(
    `free:${calls}`,
    call,
    { done: 'address.freed', failed: 'address.freed' },
    limits.runtimeCallMs,
  );
  const allocation = leave(value, event.slot);
  const [next, effects] = serveWaiting({ ...value, calls, unkept, allocation, waiting });
  const { shortage: __, ...relieved } = next;
  const short = addressesLeft(next.allocation) < limits.addressReserve;
  return [short ? next : relieved, [freed, ...effects]];
};

/** The bridge has all blocks: the new ones' addresses can be handed out. */
const openBlocks = (value: Value): Decision<Value> => {
  const known = new Set(value.allocation.blocks.map(({ block }) => block));
  const added = value.blocks.filter((block) => !known.has(block));
  if (added.length === 0) return [value, []];
  const { shortage: _, ...kept } = value;
  const allocation = holdLinks(added.reduce(withBlock, value.allocation), value.links);
  const [next, effects] = serveWaiting({ ...kept, allocation });
  return [next, [emit('network.grown', value.node, `${added.join(', ')} is this node's`), ...effects]];
};

/** Whoever waits may have what was given back. */
const noteLinks = (value: Value, event: Parameters<typeof renewLinks>[1]): Decision<Value> =>
  serveWaiting(renewLinks(value, event));

/** No further block for now: who waits for one is told why. */
function runShort(value: Value, because: Reason): Decision<Value> {
  const left = addressesLeft(value.allocation);
  const text = `${because.message}: ${left} addresses are left`;
  const told =
    value.shortage?.code === because.code ? [] : [emit('network.short', value.node, text, because)];
  const refused = value.waiting.map((asked) => refusal(asked, because));
  return [{ ...value, shortage: because, waiting: [] }, [...told, ...refused]];
}

const noteShortage = (value: Value, event: { error: Reason }): Decision<Value> =>
  runShort(value, event.error);
const noteExhausted = (value: Value): Decision<Value> => runShort(value, exhausted(value));

/** Addresses were freed during the last attempt: its failure is no reason to refuse a claim that comes later. */
const relieve = (value: Value): Decision<Value> => {
  const { shortage: _, ...kept } = value;
  return [kept, []];
};

/** Of a store that is not followed nobody knows when it will be: who waits for it is told. */
const doubtStore = (value: Value, event: { reason: Reason }): Decision<Value> => [
  { ...value, doubt: event.reason, waiting: [] },
  value.waiting.map((asked) => refusal(asked, event.reason)),
];

const trustStore = (value: Value): Decision<Value> => {
  const { doubt: _, ...kept } = value;
  return [kept, []];
};

export const addressSteps = {
  allocate,
  handOver,
  free,
  openBlocks,
  noteLinks,
  noteShortage,
  noteExhausted,
  relieve,
  doubtStore,
  trustStore,
};
