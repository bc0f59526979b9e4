/** Judges whether this node may follow the store it finds, and tells those who do. Reads the store, never writes it. */
import { setup } from 'xstate';
import type { Reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import { guardGuards, guardSteps, type GuardValue } from '../../protocols/state/guard.ts';
import type { StoreStatus } from '../../protocols/state/model.ts';
import { deciding, guarding, perform } from '../decide.ts';

export const storeGuardMachine = setup({
  types: {} as {
    context: GuardValue;
    events:
      | { type: 'store.answered'; value: StoreStatus; at: number }
      | { type: 'store.unanswered'; error: Reason; at: number }
      | { type: 'seen.read'; value: { entries: Readonly<Record<string, unknown>> }; at: number }
      | { type: 'seen.written'; at: number }
      | { type: 'seen.unwritten'; error: Reason; at: number }
      | { type: 'guard.report'; to: string; at: number }
      | { type: 'store.accept'; replyTo?: string; at: number };
    tags: 'ready' | 'trusting';
  },
  guards: guarding<GuardValue, typeof guardGuards>(guardGuards),
  delays: { retry: limits.retryMs, reconcile: limits.reconcileMs },
  actions: { perform, ...deciding<GuardValue, typeof guardSteps>(guardSteps) },
}).createMachine({
  id: 'store-guard',
  context: { calls: 0, askers: [] },
  tags: 'ready',
  initial: 'looking',
  on: {
    // Asked anew, it looks anew: the store may be another one since the last look.
    'guard.report': { target: '.looking', reenter: true, actions: 'noteAsker' },
    'store.accept': [{ guard: 'isForeign', actions: 'accept' }, { actions: 'refuseAccept' }],
    'seen.written': { target: '.looking', reenter: true, actions: 'confirmAccept' },
    'seen.unwritten': { actions: 'confirmAccept' },
  },
  states: {
    looking: {
      entry: 'look',
      on: {
        'store.answered': { actions: 'recall' },
        'store.unanswered': { target: 'silent', actions: 'doubted' },
        'seen.read': [
          { guard: 'isOurStore', target: 'trusted', actions: 'trust' },
          { target: 'doubted', actions: 'doubted' },
        ],
      },
    },
    silent: { after: { retry: 'looking' }, on: { 'guard.report': { actions: 'answer' } } },
    trusted: {
      tags: 'trusting',
      after: { reconcile: 'looking' },
      on: { 'store.accept': { actions: 'accepted' } },
    },
    /** Foreign or older. Looked at again now and then: the right one may come back. */
    doubted: { after: { reconcile: 'looking' } },
  },
});
