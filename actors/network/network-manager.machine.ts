/** The network manager of this node: block, bridge, name server, addresses. Everything is mended level-triggered. */
import { setup } from 'xstate';
import type { Reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import { emptyAllocation } from '../../protocols/network/ipam.ts';
import {
  networkGuards,
  networkSteps,
  type NetworkSettings,
  type NetworkValue,
} from '../../protocols/network/manager.ts';
import type { KeyValue, TxnResult } from '../../protocols/state/model.ts';
import { deciding, guarding, perform } from '../decide.ts';

export const networkManagerMachine = setup({
  types: {} as {
    context: NetworkValue;
    events: { at: number; id: string } & (
      | { type: 'journal.read'; value: { entries: Readonly<Record<string, unknown>> } }
      | { type: 'network.refused' | 'names.refused' | 'address.unkept'; error: Reason }
      | { type: 'blocks.listed'; value: { kvs: readonly KeyValue[] } }
      | { type: 'block.claimed'; value: TxnResult }
      | { type: 'block.kept' | 'network.ensured' | 'names.listening' | 'address.kept' | 'address.freed' }
      | { type: 'address.claim'; slot: string; to: string }
      | { type: 'address.release'; slot: string }
      | { type: 'store.trusted' | 'store.doubted' }
    );
    input: { node: string; settings: NetworkSettings };
    tags: 'ready';
  },
  guards: guarding<NetworkValue, typeof networkGuards>(networkGuards),
  delays: { retry: limits.retryMs, reconcile: limits.reconcileMs },
  actions: { perform, ...deciding<NetworkValue, typeof networkSteps>(networkSteps) },
}).createMachine({
  id: 'network-manager',
  context: ({ input }) => ({
    node: input.node,
    settings: input.settings,
    calls: 0,
    allocation: emptyAllocation(input.settings.pool),
    pending: {},
    unkept: {},
  }),
  tags: 'ready',
  initial: 'recalling',
  on: {
    'address.claim': { actions: 'notYet' },
    'address.release': { actions: 'free' },
    'address.kept': { actions: 'handOver' },
    'address.unkept': { actions: 'handOver' },
  },
  states: {
    recalling: {
      entry: 'recall',
      on: {
        'journal.read': { target: 'recalled', actions: 'recalled' },
        'network.refused': { target: 'recallingSoon', actions: 'noteTrouble' },
      },
    },
    recallingSoon: { after: { retry: 'recalling' } },
    recalled: { always: [{ guard: 'hasBlock', target: 'ensuring' }, { target: 'claiming' }] },
    claiming: {
      entry: 'listBlocks',
      on: {
        'blocks.listed': { actions: 'claimBlock' },
        'block.claimed': [
          { guard: 'wonBlock', actions: 'keepBlock' },
          { target: 'claiming', reenter: true, actions: 'dropBlock' },
        ],
        'block.kept': 'ensuring',
        'network.refused': { target: 'claimingSoon', actions: ['noteTrouble', 'dropBlock'] },
      },
      after: { reconcile: { target: 'claiming', reenter: true } },
    },
    claimingSoon: { after: { retry: 'claiming' } },
    ensuring: {
      entry: 'ensure',
      on: {
        'network.ensured': { target: 'serving', actions: 'noteReady' },
        'network.refused': { target: 'ensuringSoon', actions: 'noteTrouble' },
      },
    },
    ensuringSoon: { after: { retry: 'ensuring' } },
    /** Addresses are handed out; bridge and name server are looked after. */
    serving: {
      on: { 'address.claim': { actions: 'allocate' } },
      initial: 'naming',
      states: {
        naming: {
          entry: 'listen',
          on: {
            'names.listening': 'settled',
            'names.refused': { target: 'namingSoon', actions: 'noteTrouble' },
          },
        },
        namingSoon: { after: { retry: 'naming' } },
        settled: { after: { reconcile: 'mending' } },
        mending: {
          entry: 'ensure',
          on: {
            'network.ensured': { target: 'naming', actions: 'noteReady' },
            'network.refused': { target: 'settled', actions: 'noteTrouble' },
          },
        },
      },
    },
  },
});
