/**
 * The container manager of this node: follows its assignments and keeps a slot for each. The slots decide about
 * their containers; the app manager decides what is assigned.
 */
import { setup } from 'xstate';
import type { ManagerEvent } from '../../protocols/containers/manager-events.ts';
import { managerGuards, managerSteps, type ManagerValue } from '../../protocols/containers/manager.ts';
import { limits } from '../../protocols/limits.ts';
import type { ActorPath } from '../../protocols/wire/address.ts';
import { deciding, guarding, perform } from '../decide.ts';

export const containerManagerMachine = setup({
  types: {} as {
    context: ManagerValue;
    events: ManagerEvent;
    input: { node: string; observers?: readonly ActorPath[] };
    tags: 'ready';
  },
  guards: guarding<ManagerValue, typeof managerGuards>(managerGuards),
  delays: { retry: limits.retryMs, reconcile: limits.reconcileMs },
  actions: { perform, ...deciding<ManagerValue, typeof managerSteps>(managerSteps) },
}).createMachine({
  id: 'container-manager',
  context: ({ input: { node, observers } }) => ({
    node,
    ...(observers ? { observers } : {}),
    held: {},
    ending: {},
    observed: {},
    calls: 0,
  }),
  tags: 'ready',
  initial: 'recovering',
  on: {
    'slot.changed': { actions: 'note' },
    'slot.gone': { actions: 'forget' },
    'observed.report': { actions: 'report' },
    'observed.repeat': { actions: 'repeat' },
  },
  states: {
    recovering: {
      entry: 'recoverJournal',
      on: {
        'journal.read': { target: 'managing', actions: ['recovered', 'ensureSlots', 'endAgain', 'askSlots'] },
        'journal.failed': 'recoveringSoon',
      },
    },
    recoveringSoon: { after: { retry: 'recovering' } },
    managing: {
      type: 'parallel',
      on: {
        'container.found': { actions: 'found' },
        // The slots' supervisor gave up and was started anew, empty.
        'actor.exited': { actions: 'ensureSoon' },
        'slots.due': { actions: ['ensureSlots', 'endAgain'] },
      },
      states: {
        store: {
          initial: 'doubting',
          on: { 'store.trusted': '.listing', 'store.doubted': '.doubting' },
          states: {
            /** Nothing is started or stopped because of a store that is silent, foreign or old. */
            doubting: {
              entry: 'askTrust',
              // The answer to the question: asking again because of it would never end.
              on: { 'store.doubted': {} },
              after: { reconcile: { target: 'doubting', reenter: true } },
            },
            listing: {
              entry: 'list',
              on: {
                'assignments.listed': { target: 'verifying', actions: 'listed' },
                'assignments.unlisted': 'listingSoon',
              },
            },
            /** Another store may stand there since it was trusted: nothing of the list counts before it is confirmed. */
            verifying: {
              entry: 'askTrust',
              after: { reconcile: 'listing' },
              on: {
                'store.trusted': { target: 'following', actions: 'confirmed' },
                'store.changed': { actions: 'changed' },
                'store.compacted': 'listing',
                'store.failed': 'listingSoon',
              },
            },
            listingSoon: { after: { retry: 'listing' } },
            following: {
              after: { reconcile: 'listing' },
              on: {
                'store.changed': { actions: 'changed' },
                'store.compacted': 'listing',
                'store.failed': 'listingSoon',
              },
            },
          },
        },
        journal: {
          initial: 'settled',
          states: {
            settled: { always: { guard: 'differs', target: 'writing' } },
            writing: {
              entry: 'write',
              on: {
                'assignments.written': { target: 'settled', actions: 'apply' },
                'assignments.unwritten': 'writingSoon',
              },
            },
            writingSoon: { after: { retry: 'writing' } },
          },
        },
        slots: {
          initial: 'watched',
          states: {
            watched: {
              after: {
                reconcile: {
                  target: 'watched',
                  reenter: true,
                  actions: ['ensureSlots', 'endAgain', 'askSlots', 'publishAll'],
                },
              },
            },
          },
        },
      },
    },
  },
});
