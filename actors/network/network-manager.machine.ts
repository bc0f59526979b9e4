/** The network manager of this node: blocks, bridge, name server, addresses. Everything is mended level-triggered. */
import { setup } from 'xstate';
import type { Reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import { emptyAllocation } from '../../protocols/network/giving/ipam.ts';
import {
  networkGuards,
  networkSteps,
  type NetworkSettings,
  type NetworkValue,
} from '../../protocols/network/manager.ts';
import type { KeyValue, TxnResult } from '../../protocols/state/model.ts';
import type { Attachment } from '../../protocols/network/model.ts';
import { deciding, guarding, perform } from '../decide.ts';

export const networkManagerMachine = setup({
  types: {} as {
    context: NetworkValue;
    events: { at: number; id: string } & (
      | { type: 'journal.read'; value: { entries: Readonly<Record<string, unknown>> } }
      | { type: 'network.refused' | 'names.refused' | 'address.unkept'; error: Reason }
      | { type: 'blocks.refused' | 'blocks.unrouted'; error: Reason }
      | { type: 'blocks.listed'; value: { kvs: readonly KeyValue[] } }
      | { type: 'block.claimed'; value: TxnResult }
      | { type: 'blocks.kept' | 'blocks.routed' | 'network.ensured' | 'names.listening' }
      | { type: 'address.kept' | 'address.freed' }
      | { type: 'links.listed'; value: { attachments: readonly Attachment[] } }
      | { type: 'links.unlisted'; error: Reason }
      | { type: 'address.claim'; slot: string; id: string; to: string }
      | { type: 'address.release'; slot: string }
      | { type: 'store.doubted'; reason: Reason }
      | { type: 'store.trusted' }
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
    blocks: [],
    claiming: [],
    allocation: emptyAllocation(),
    links: [],
    pending: {},
    unkept: {},
    waiting: [],
  }),
  tags: 'ready',
  initial: 'recalling',
  on: {
    'address.claim': { actions: 'notYet' },
    'address.release': { actions: 'free' },
    'address.kept': { actions: 'handOver' },
    'address.unkept': { actions: 'handOver' },
    'store.doubted': { actions: 'doubtStore' },
    'store.trusted': { actions: 'trustStore' },
  },
  states: {
    recalling: {
      entry: 'recall',
      on: {
        'journal.read': { target: 'surveying', actions: 'recalled' },
        'network.refused': { target: 'recallingSoon', actions: 'noteTrouble' },
      },
    },
    recallingSoon: { after: { retry: 'recalling' } },
    /** The machine knows what a damaged journal forgot. */
    surveying: {
      entry: 'survey',
      on: {
        'links.listed': { target: 'recalled', actions: 'recallLinks' },
        'links.unlisted': { target: 'surveyingSoon', actions: 'noteTrouble' },
      },
    },
    surveyingSoon: { after: { retry: 'surveying' } },
    recalled: { always: [{ guard: 'hasBlocks', target: 'ensuring' }, { target: 'claiming' }] },
    /** The first block: nothing can be done without it. */
    claiming: {
      entry: 'listBlocks',
      on: {
        'blocks.listed': [
          { guard: 'offersBlock', actions: 'claimBlock' },
          { target: 'exhausted', actions: 'noteExhausted' },
        ],
        'block.claimed': [
          { guard: 'wonBlock', actions: 'keepBlocks' },
          { target: 'claiming', reenter: true, actions: 'dropClaim' },
        ],
        'blocks.kept': { target: 'ensuring', actions: 'takeBlocks' },
        'blocks.refused': { target: 'claimingSoon', actions: ['noteTrouble', 'dropClaim'] },
      },
    },
    claimingSoon: { after: { retry: 'claiming' } },
    exhausted: { after: { reconcile: 'claiming' } },
    ensuring: {
      entry: 'ensure',
      on: {
        'network.ensured': { target: 'serving', actions: ['noteReady', 'openBlocks'] },
        'network.refused': { target: 'ensuringSoon', actions: 'noteTrouble' },
      },
    },
    ensuringSoon: { after: { retry: 'ensuring' } },
    /** Addresses are handed out; bridge and name server are looked after; a further block is claimed in time. */
    serving: {
      type: 'parallel',
      on: { 'address.claim': { actions: 'allocate' } },
      states: {
        upkeep: {
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
                'network.ensured': { target: 'surveying', actions: 'noteReady' },
                'network.refused': { target: 'settled', actions: 'noteTrouble' },
              },
            },
            surveying: {
              entry: 'survey',
              on: {
                'links.listed': { target: 'naming', actions: 'noteLinks' },
                'links.unlisted': { target: 'settled', actions: 'noteTrouble' },
              },
            },
          },
        },
        growth: {
          initial: 'enough',
          states: {
            enough: { always: { guard: 'runsLow', target: 'claiming' } },
            claiming: {
              entry: 'listBlocks',
              on: {
                'blocks.listed': [
                  { guard: 'offersBlock', actions: 'claimBlock' },
                  { target: 'exhausted', actions: 'noteExhausted' },
                ],
                'block.claimed': [
                  { guard: 'wonBlock', actions: 'keepBlocks' },
                  { target: 'claiming', reenter: true, actions: 'dropClaim' },
                ],
                'blocks.kept': { target: 'routing', actions: 'takeBlocks' },
                'blocks.refused': { target: 'claimingSoon', actions: ['noteShortage', 'dropClaim'] },
              },
            },
            claimingSoon: {
              after: {
                retry: [
                  { guard: 'runsLow', target: 'claiming' },
                  { target: 'enough', actions: 'relieve' },
                ],
              },
            },
            exhausted: {
              after: {
                reconcile: [
                  { guard: 'runsLow', target: 'claiming' },
                  { target: 'enough', actions: 'relieve' },
                ],
              },
            },
            routing: {
              entry: 'routeBlocks',
              on: {
                'blocks.routed': { target: 'enough', actions: 'openBlocks' },
                'blocks.unrouted': { target: 'routingSoon', actions: 'noteShortage' },
              },
            },
            routingSoon: { after: { retry: 'routing' } },
          },
        },
      },
    },
  },
});
