/**
 * How a node comes to its blocks: look in the store, compare-and-set, journal. One attempt at a time; which step
 * follows which is the chart's. A block that the store says is this node's and the journal does not know is taken over:
 * its claim was made, and the answer or the journal's write was lost.
 */
import { drive, type Decision } from '../effects.ts';
import { reason, type Reason } from '../errors.ts';
import { limits } from '../limits.ts';
import { keys } from '../state/keys.ts';
import type { KeyValue, TxnResult } from '../state/model.ts';
import { addressesLeft, firstFreeBlock } from './giving/ipam.ts';
import { blocksEntry, type NetworkValue } from './value.ts';

type Value = NetworkValue;
interface Listed {
  readonly value: { readonly kvs: readonly KeyValue[] };
}
interface Row {
  readonly node: string;
  readonly cidr: string;
}

const rowOf = (kv: KeyValue): Row => kv.value as Row;

/** This node's in the store that it does not know of, oldest claim first. */
function unknownOwn(value: Value, { value: { kvs } }: Listed): readonly string[] {
  return [...kvs]
    .sort((a, b) => a.createRevision - b.createRevision)
    .map(rowOf)
    .filter(({ node, cidr }) => node === value.node && !value.blocks.includes(cidr))
    .map(({ cidr }) => cidr);
}

/** Its own count as taken, whatever the store says: an older copy of the store may not know them. */
function freeBlock(value: Value, { value: { kvs } }: Listed): string | undefined {
  return firstFreeBlock(value.settings.pool, [...kvs.map((kv) => rowOf(kv).cidr), ...value.blocks]);
}

const listBlocks = (value: Value): Decision<Value> => {
  const calls = value.calls + 1;
  const call = { port: 'store', op: 'list', args: { prefix: keys.blocks } } as const;
  const answer = { done: 'blocks.listed', failed: 'blocks.refused' };
  return [{ ...value, calls }, [drive(`blocks:${calls}`, call, answer, limits.runtimeCallMs)]];
};

/** Compare-and-set: whoever writes the key first has the block; a loser looks again. */
const claimBlock = (value: Value, event: Listed): Decision<Value> => {
  const own = unknownOwn(value, event);
  if (own.length > 0) return keepBlocks({ ...value, claiming: own });
  const cidr = freeBlock(value, event);
  if (cidr === undefined) return [value, []];
  const calls = value.calls + 1;
  const key = keys.block(cidr);
  const row: Row = { node: value.node, cidr };
  return [
    { ...value, calls, claiming: [cidr] },
    [
      {
        do: 'write',
        id: `claim:${calls}`,
        txn: {
          compare: [{ key, field: 'modRevision', equals: 0 }],
          then: [{ op: 'put', key, value: row }],
        },
        done: 'block.claimed',
        failed: 'blocks.refused',
      },
    ],
  ];
};

const keepBlocks = (value: Value): Decision<Value> => {
  const calls = value.calls + 1;
  const entries = { [blocksEntry]: [...value.blocks, ...value.claiming] };
  const call = { port: 'journal', op: 'append', args: { entries } } as const;
  const answer = { done: 'blocks.kept', failed: 'blocks.refused' };
  return [{ ...value, calls }, [drive(`keep:${calls}`, call, answer, limits.runtimeCallMs)]];
};

/** From here on every look at the bridge wishes them too. */
const takeBlocks = (value: Value): Decision<Value> => [
  { ...value, blocks: [...value.blocks, ...value.claiming], claiming: [] },
  [],
];

const dropClaim = (value: Value): Decision<Value> => [{ ...value, claiming: [] }, []];

/** `HM-NETWORK-ADDRESS` */
export function exhausted({ settings, blocks }: Value): Reason {
  const evidence = { pool: settings.pool, blocks: blocks.join(', ') };
  return reason('HM-NETWORK-ADDRESS', `no block is free in ${settings.pool}`, evidence);
}

export const blockSteps = { listBlocks, claimBlock, keepBlocks, takeBlocks, dropClaim };

export const blockGuards = {
  hasBlocks: (value: Value) => value.blocks.length > 0,
  offersBlock: (value: Value, event: Listed) =>
    unknownOwn(value, event).length > 0 || freeBlock(value, event) !== undefined,
  wonBlock: (_: Value, event: { value: TxnResult }) => event.value.succeeded,
  /** In time: a deploy does not wait for the store while there are still addresses. */
  runsLow: (value: Value) =>
    value.doubt === undefined && addressesLeft(value.allocation) < limits.addressReserve,
};
