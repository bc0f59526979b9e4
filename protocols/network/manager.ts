/**
 * The node network's decisions: claim a block once, keep the bridge as it should be, hand out one address a
 * slot. The claimed block and the addresses are in the journal, so a silent store changes nothing.
 */
import type { SlotName } from '../apps/model.ts';
import { drive, emit, send, type Decision, type Effect } from '../effects.ts';
import { reason, type Reason } from '../errors.ts';
import { limits } from '../limits.ts';
import { keys } from '../state/keys.ts';
import type { KeyValue, TxnResult } from '../state/model.ts';
import {
  claim,
  emptyAllocation,
  firstFreeBlock,
  gatewayOf,
  rebuildAllocation,
  release,
  type Allocation,
} from './ipam.ts';

export interface NetworkSettings {
  readonly bridge: string;
  readonly tag: string;
  readonly pool: string;
  readonly mtu: number;
  readonly dnsAddress?: string;
  readonly dnsPort: number;
  readonly upstreams: readonly string[];
}

export interface NetworkValue {
  readonly node: string;
  readonly settings: NetworkSettings;
  readonly calls: number;
  readonly block?: string;
  readonly allocation: Allocation;
  /** Claims whose journal write is under way, by write id. */
  readonly pending: Readonly<
    Record<string, { readonly slot: SlotName; readonly address: string; readonly to: string }>
  >;
  /** Slots whose address is theirs, but not known to be in the journal: written again before anyone uses it. */
  readonly unkept: Readonly<Record<SlotName, true>>;
  readonly reason?: Reason;
}

type Value = NetworkValue;
const blockEntry = 'network/block';
const addressEntries = 'address/';
const addressEntry = (slot: SlotName): string => `${addressEntries}${slot}`;

const recall = (value: Value): Decision<Value> => {
  const call = { port: 'journal', op: 'read', args: { prefix: '' } } as const;
  return [
    value,
    [drive('recall', call, { done: 'journal.read', failed: 'network.refused' }, limits.runtimeCallMs)],
  ];
};

const recalled = (
  value: Value,
  event: { value: { entries: Readonly<Record<string, unknown>> } },
): Decision<Value> => {
  const block = event.value.entries[blockEntry] as string | undefined;
  if (block === undefined) return [value, []];
  const owners: Record<string, string> = {};
  for (const [key, address] of Object.entries(event.value.entries)) {
    if (key.startsWith(addressEntries)) owners[key.slice(addressEntries.length)] = address as string;
  }
  return [{ ...value, block, allocation: rebuildAllocation(block, owners) }, []];
};

const listBlocks = (value: Value): Decision<Value> => {
  const calls = value.calls + 1;
  const call = { port: 'store', op: 'list', args: { prefix: keys.blocks } } as const;
  return [
    { ...value, calls },
    [
      drive(
        `blocks:${calls}`,
        call,
        { done: 'blocks.listed', failed: 'network.refused' },
        limits.runtimeCallMs,
      ),
    ],
  ];
};

/** Compare-and-set: whoever writes the key first has the block; a loser looks again. */
const claimBlock = (value: Value, event: { value: { kvs: readonly KeyValue[] } }): Decision<Value> => {
  const rows = event.value.kvs.map((kv) => kv.value as { node: string; cidr: string });
  const mine = rows.find((row) => row.node === value.node);
  const cidr =
    mine?.cidr ??
    firstFreeBlock(
      value.settings.pool,
      rows.map((row) => row.cidr),
    );
  if (cidr === undefined) {
    return [
      { ...value, reason: reason('HM-NETWORK-ADDRESS', `no block is free in ${value.settings.pool}`) },
      [],
    ];
  }
  const calls = value.calls + 1;
  const key = keys.block(cidr);
  return [
    { ...value, calls, block: cidr, allocation: emptyAllocation(cidr) },
    [
      {
        do: 'write',
        id: `claim:${calls}`,
        txn: {
          compare: mine ? [] : [{ key, field: 'modRevision', equals: 0 }],
          then: mine ? [] : [{ op: 'put', key, value: { node: value.node, cidr } }],
        },
        done: 'block.claimed',
        failed: 'network.refused',
      },
    ],
  ];
};

const keepBlock = (value: Value): Decision<Value> => {
  const calls = value.calls + 1;
  const call = { port: 'journal', op: 'append', args: { entries: { [blockEntry]: value.block } } } as const;
  return [
    { ...value, calls },
    [drive(`keep:${calls}`, call, { done: 'block.kept', failed: 'network.refused' }, limits.runtimeCallMs)],
  ];
};

const dropBlock = (value: Value): Decision<Value> => {
  const { block: _, ...rest } = value;
  return [rest, []];
};

const ensure = (value: Value): Decision<Value> => {
  const block = value.block ?? '';
  const calls = value.calls + 1;
  const { bridge, tag, pool, mtu } = value.settings;
  const call = {
    port: 'network',
    op: 'ensureNode',
    args: { bridge, tag, pool, mtu, blocks: [{ block, gateway: gatewayOf(block) }] },
  } as const;
  return [
    { ...value, calls },
    [
      drive(
        `ensure:${calls}`,
        call,
        { done: 'network.ensured', failed: 'network.refused' },
        limits.runtimeCallMs,
      ),
    ],
  ];
};

const listen = (value: Value): Decision<Value> => {
  const calls = value.calls + 1;
  const { dnsAddress, dnsPort, upstreams } = value.settings;
  const address = dnsAddress ?? gatewayOf(value.block ?? '');
  const call = { port: 'names', op: 'listen', args: { address, port: dnsPort, upstreams } } as const;
  return [
    { ...value, calls },
    [
      drive(
        `listen:${calls}`,
        call,
        { done: 'names.listening', failed: 'names.refused' },
        limits.runtimeCallMs,
      ),
    ],
  ];
};

const noteTrouble = (value: Value, event: { error: Reason }): Decision<Value> => {
  const told =
    value.reason?.code === event.error.code
      ? []
      : [emit('network.failed', value.node, event.error.message, event.error, 'error')];
  return [{ ...value, reason: event.error }, told];
};

const noteReady = (value: Value): Decision<Value> => {
  const { reason: before, ...rest } = value;
  return [rest, before ? [emit('network.recovered', value.node, 'the node network is as it should be')] : []];
};

const notYet = (value: Value, event: { slot: SlotName; to: string }): Decision<Value> => {
  const because =
    value.reason ??
    reason('HM-NETWORK-DRIVER', 'the node network is not ready yet', {}, 'Wait: it is tried again.');
  return [value, [send(event.to, { type: 'address.refused', slot: event.slot, reason: because })]];
};

/** One address a slot, for as long as the slot is here. It is in the journal before anyone uses it. */
const allocate = (value: Value, event: { slot: SlotName; to: string }): Decision<Value> => {
  const held = value.allocation.owners[event.slot];
  const waiting = Object.values(value.pending).some((entry) => entry.slot === event.slot);
  if (held !== undefined && !waiting && !value.unkept[event.slot])
    return [value, [claimed(value, event.slot, held, event.to)]];
  const answer = claim(value.allocation, event.slot);
  if ('reason' in answer)
    return [value, [send(event.to, { type: 'address.refused', slot: event.slot, reason: answer.reason })]];
  const calls = value.calls + 1;
  const id = `claim:${calls}`;
  const call = {
    port: 'journal',
    op: 'append',
    args: { entries: { [addressEntry(event.slot)]: answer.address } },
  } as const;
  return [
    {
      ...value,
      calls,
      allocation: answer.allocation,
      pending: { ...value.pending, [id]: { slot: event.slot, address: answer.address, to: event.to } },
    },
    [drive(id, call, { done: 'address.kept', failed: 'address.unkept' }, limits.runtimeCallMs)],
  ];
};

function claimed(value: Value, slot: SlotName, address: string, to: string): Effect {
  return send(to, { type: 'address.claimed', slot, address, gateway: gatewayOf(value.block ?? '') });
}

/** An address that could not be written stays its slot's: the journal may hold it all the same, and nobody else may get it. */
const handOver = (value: Value, event: { id: string; error?: Reason }): Decision<Value> => {
  const { [event.id]: entry, ...pending } = value.pending;
  if (!entry) return [value, []];
  const { slot, address, to } = entry;
  // Freed while it was being written: whoever asked is gone.
  if (value.allocation.owners[slot] !== address) return [{ ...value, pending }, []];
  if (event.error) {
    const unkept = { ...value.unkept, [slot]: true as const };
    return [
      { ...value, pending, unkept },
      [send(to, { type: 'address.refused', slot, reason: event.error })],
    ];
  }
  const { [slot]: _, ...unkept } = value.unkept;
  return [{ ...value, pending, unkept }, [claimed(value, slot, address, to)]];
};

const free = (value: Value, event: { slot: SlotName }): Decision<Value> => {
  if (value.allocation.owners[event.slot] === undefined) return [value, []];
  const { [event.slot]: _, ...unkept } = value.unkept;
  const calls = value.calls + 1;
  const call = {
    port: 'journal',
    op: 'append',
    args: { entries: { [addressEntry(event.slot)]: undefined } },
  } as const;
  return [
    { ...value, calls, unkept, allocation: release(value.allocation, event.slot) },
    [drive(`free:${calls}`, call, { done: 'address.freed', failed: 'address.freed' }, limits.runtimeCallMs)],
  ];
};

export const networkSteps = {
  recall,
  recalled,
  listBlocks,
  claimBlock,
  keepBlock,
  dropBlock,
  ensure,
  listen,
  noteTrouble,
  noteReady,
  notYet,
  allocate,
  handOver,
  free,
};

export const networkGuards = {
  hasBlock: (value: Value) => value.block !== undefined,
  wonBlock: (_: Value, event: { value: TxnResult }) => event.value.succeeded,
};
