/** How a node comes to its blocks, step by step: in the store by compare-and-set, then in the journal, then on the bridge. */
import { describe, expect, it } from 'vitest';
import type { Effect } from '../../../protocols/effects.ts';
import { emptyAllocation } from '../../../protocols/network/giving/ipam.ts';
import {
  networkGuards,
  networkSteps as steps,
  type NetworkValue,
} from '../../../protocols/network/manager.ts';
import { keys } from '../../../protocols/state/keys.ts';

const settings = { bridge: 'hive0', tag: 'a', pool: '10.42.0.0/24', mtu: 1_500, dnsPort: 53, upstreams: [] };
const fresh: NetworkValue = {
  ...{
    node: 'n1',
    settings,
    calls: 0,
    pending: {},
    unkept: {},
    blocks: [],
    claiming: [],
    links: [],
    waiting: [],
  },
  allocation: emptyAllocation(),
};
const block = '10.42.0.0/26';
const ready: NetworkValue = { ...fresh, blocks: [block], allocation: emptyAllocation(block) };
const listed = (...rows: readonly (readonly [node: string, cidr: string, revision?: number])[]) => ({
  value: {
    kvs: rows.map(([node, cidr, revision = 1]) => ({
      ...{ key: keys.block(cidr), value: { node, cidr }, version: 1 },
      ...{ createRevision: revision, modRevision: revision },
    })),
  },
});
const only = <Type extends Effect['do']>(effects: readonly Effect[], type: Type) =>
  effects.filter((effect): effect is Extract<Effect, { do: Type }> => effect.do === type);
const argsOf = (effects: readonly Effect[]) => only(effects, 'drive').map(({ call }) => call.args);

describe('a block', () => {
  it('is the first that is free: claimed, then journalled, then taken', () => {
    const [claiming, effects] = steps.claimBlock(fresh, listed(['n2', block]));
    const key = keys.block('10.42.0.64/26');
    expect(effects).toMatchObject([
      {
        do: 'write',
        txn: {
          compare: [{ key, field: 'modRevision', equals: 0 }],
          then: [{ op: 'put', key, value: { node: 'n1', cidr: '10.42.0.64/26' } }],
        },
      },
    ]);
    expect(networkGuards.hasBlocks(claiming)).toBe(false);
    expect(argsOf(steps.keepBlocks(claiming)[1])).toEqual([
      { entries: { 'network/blocks': ['10.42.0.64/26'] } },
    ]);
    expect(steps.takeBlocks(claiming)[0]).toMatchObject({ blocks: ['10.42.0.64/26'], claiming: [] });
    expect(networkGuards.hasBlocks(steps.takeBlocks(steps.dropClaim(claiming)[0])[0])).toBe(false);
  });

  it('stands behind those that are there, also when the store forgot them; none of it is used before the bridge has it', () => {
    const [claiming] = steps.claimBlock(ready, listed(['n2', '10.42.0.64/26']));
    expect(argsOf(steps.keepBlocks(claiming)[1])).toEqual([
      { entries: { 'network/blocks': [block, '10.42.0.128/26'] } },
    ]);
    const [taken] = steps.takeBlocks(claiming);
    expect(argsOf(steps.routeBlocks(taken)[1])).toMatchObject([
      {
        blocks: [
          { block, gateway: '10.42.0.1' },
          { block: '10.42.0.128/26', gateway: '10.42.0.129' },
        ],
      },
    ]);
    expect(taken.allocation.blocks).toHaveLength(1);
    expect(steps.openBlocks(taken)[0].allocation.blocks).toHaveLength(2);
  });

  it('that the store says is this node’s is taken over unclaimed, oldest first: the name server stays where it was', () => {
    const rows = listed(['n1', '10.42.0.64/26', 9], ['n2', block, 3], ['n1', '10.42.0.128/26', 5]);
    const [, effects] = steps.claimBlock(fresh, rows);
    expect(only(effects, 'write')).toEqual([]);
    expect(argsOf(effects)).toEqual([{ entries: { 'network/blocks': ['10.42.0.128/26', '10.42.0.64/26'] } }]);
  });

  it('is offered as long as the pool has one, or the store one of this node', () => {
    const cidrs = [0, 64, 128, 192].map((low) => `10.42.0.${low}/26`);
    const full = cidrs.map((cidr) => ['n2', cidr] as const);
    expect(networkGuards.offersBlock(fresh, listed(...full.slice(1)))).toBe(true);
    expect(networkGuards.offersBlock(ready, listed(...full.slice(1)))).toBe(false);
    expect(networkGuards.offersBlock(fresh, listed(...full))).toBe(false);
    expect(networkGuards.offersBlock(ready, listed(['n1', cidrs[1]!], ...full.slice(2)))).toBe(true);
  });
});
