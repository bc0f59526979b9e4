/**
 * The node network's decisions: have blocks of one's own, keep the bridge as it should be, hand out one address a
 * slot. Blocks and addresses are in the journal, so a silent store changes nothing.
 *
 * Read next: `blocks.ts` (how blocks are claimed) and `giving/addresses.ts` (how addresses are handed out).
 */
import type { SlotName } from '../apps/model.ts';
import { drive, emit, send, type Decision } from '../effects.ts';
import { reason, type Reason } from '../errors.ts';
import { limits } from '../limits.ts';
import { addressSteps } from './giving/addresses.ts';
import { blockGuards, blockSteps } from './blocks.ts';
import { gatewayOf, rebuildAllocation } from './giving/ipam.ts';
import { recallLinks, survey } from './giving/links.ts';
import type { NodeBlock } from './model.ts';
import { addressesIn, blocksEntry, type NetworkValue } from './value.ts';

export type { NetworkSettings, NetworkValue } from './value.ts';

type Value = NetworkValue;

const recall = (value: Value): Decision<Value> => {
  const call = { port: 'journal', op: 'read', args: { prefix: '' } } as const;
  return [
    value,
    [drive('recall', call, { done: 'journal.read', failed: 'network.refused' }, limits.runtimeCallMs)],
  ];
};

const recalled = (
  value: Value,
  { value: { entries } }: { value: { entries: Readonly<Record<string, unknown>> } },
): Decision<Value> => {
  const blocks = (entries[blocksEntry] as readonly string[] | undefined) ?? [];
  return [{ ...value, blocks, allocation: rebuildAllocation(blocks, addressesIn(entries)) }, []];
};

function bridgeWith(value: Value, answer: { done: string; failed: string }): Decision<Value> {
  const calls = value.calls + 1;
  const { bridge, tag, pool, mtu } = value.settings;
  const [first = '', ...more] = value.blocks;
  const own = (block: string): NodeBlock => ({ block, gateway: gatewayOf(block) });
  const blocks = [own(first), ...more.map(own)] as const;
  const call = { port: 'network', op: 'ensureNode', args: { bridge, tag, pool, mtu, blocks } } as const;
  return [{ ...value, calls }, [drive(`ensure:${calls}`, call, answer, limits.runtimeCallMs)]];
}

const ensure = (value: Value): Decision<Value> =>
  bridgeWith(value, { done: 'network.ensured', failed: 'network.refused' });

/** As `ensure`, for a further block while the other looks at the bridge go on. */
const routeBlocks = (value: Value): Decision<Value> =>
  bridgeWith(value, { done: 'blocks.routed', failed: 'blocks.unrouted' });

const listen = (value: Value): Decision<Value> => {
  const calls = value.calls + 1;
  const { dnsAddress, dnsPort, upstreams } = value.settings;
  const address = dnsAddress ?? gatewayOf(value.blocks[0] ?? '');
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
    value.shortage ??
    reason('HM-NETWORK-DRIVER', 'the node network is not ready yet', {}, 'Wait: it is tried again.');
  return [value, [send(event.to, { type: 'address.refused', slot: event.slot, reason: because })]];
};

export const networkSteps = {
  ...blockSteps,
  ...addressSteps,
  recall,
  recalled,
  survey,
  recallLinks,
  ensure,
  routeBlocks,
  listen,
  noteTrouble,
  noteReady,
  notYet,
};

export const networkGuards = blockGuards;
