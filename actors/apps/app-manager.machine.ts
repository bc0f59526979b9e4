/**
 * The app manager, on the leader: takes operators' commands and reconciles every app, by guarded transactions
 * only. What containers do is the slots' business; what it knows of them is what nodes report.
 */
import { setup } from 'xstate';
import type { BusyPort } from '../../protocols/apps/host-ports.ts';
import type { AppCommand } from '../../protocols/apps/commands.ts';
import type { AppSpec } from '../../protocols/apps/model.ts';
import type { Digests } from '../../protocols/apps/plan/plan.ts';
import { appsGuards, appsSteps, freshApps, type AppsValue } from '../../protocols/apps/manager.ts';
import type { SlotStatus } from '../../protocols/apps/status.ts';
import type { Reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { KeyValue, Position, StoreEvent, TxnResult } from '../../protocols/state/model.ts';
import { deciding, guarding, perform } from '../decide.ts';

const commands = ['app.deploy', 'app.scale', 'app.restart', 'app.remove'] as const;
const onCommands = <Action extends string>(action: Action) =>
  Object.fromEntries(commands.map((type) => [type, { actions: action }])) as Record<
    (typeof commands)[number],
    { actions: Action }
  >;

/** Answered from the mirror, so only when it is known to be the store's. */
const questions = ['app.plan', 'revisions.list', 'revision.find'] as const;
const onQuestions = <Action extends string>(action: Action) =>
  Object.fromEntries(questions.map((type) => [type, { actions: action }])) as Record<
    (typeof questions)[number],
    { actions: Action }
  >;

export const appManagerMachine = setup({
  types: {} as {
    context: AppsValue;
    events: { at: number; replyTo?: string } & (
      | AppCommand
      | { type: 'apps.report' | 'store.trusted' | 'store.compacted' }
      | { type: 'app.show' | 'revisions.list'; app: string }
      | { type: 'revision.find'; app: string; revision?: number }
      | { type: 'app.plan'; spec: AppSpec; digests: Digests; busy?: readonly BusyPort[] }
      | { type: 'store.doubted'; reason: Reason }
      | { type: 'apps.listed'; value: { kvs: readonly KeyValue[]; position: Position } }
      | { type: 'apps.unlisted' | 'store.failed' | 'round.unwritten'; error: Reason }
      | { type: 'store.changed'; events: readonly StoreEvent[]; position: Position }
      | { type: 'observed.changed'; slots: readonly SlotStatus[]; gone: readonly string[]; whole?: boolean }
      | { type: 'round.written'; value: TxnResult }
      | { type: 'command.written'; id: string; value: TxnResult }
      | { type: 'command.unwritten'; id: string; error: Reason }
    );
    input: { node: string };
    tags: 'ready' | 'leading';
  },
  guards: guarding<AppsValue, typeof appsGuards>(appsGuards),
  delays: { retry: limits.retryMs, reconcile: limits.reconcileMs },
  actions: { perform, ...deciding<AppsValue, typeof appsSteps>(appsSteps) },
}).createMachine({
  id: 'app-manager',
  context: ({ input }) => freshApps(input.node),
  tags: 'ready',
  initial: 'doubting',
  entry: 'begin',
  on: {
    'observed.changed': { actions: 'noteSlots' },
    'apps.report': { actions: 'report' },
    'app.show': { actions: 'show' },
    'store.doubted': { target: '.doubting', actions: 'noteDoubt' },
    'command.written': { actions: 'commandWritten' },
    'command.unwritten': { actions: 'commandWritten' },
    ...onCommands('refuse'),
    ...onQuestions('refuse'),
  },
  states: {
    doubting: {
      entry: 'askTrust',
      on: {
        'store.trusted': 'listing',
        // The answer to the question: asking again because of it would never end.
        'store.doubted': { actions: 'noteDoubt' },
      },
      after: { reconcile: { target: 'doubting', reenter: true } },
    },
    listing: {
      entry: 'list',
      on: {
        'apps.listed': { target: 'verifying', actions: 'listed' },
        'apps.unlisted': { target: 'listingSoon', actions: 'noteDoubt' },
      },
    },
    listingSoon: { after: { retry: 'listing' } },
    /** Another store may stand there since it was trusted: nothing of the list counts before it is confirmed. */
    verifying: {
      entry: 'askTrust',
      after: { reconcile: 'listing' },
      on: {
        'store.trusted': { target: 'leading', actions: 'confirmed' },
        'store.changed': { actions: 'changed' },
        'store.compacted': 'listing',
        'store.failed': { target: 'listingSoon', actions: 'noteDoubt' },
      },
    },
    /** The watch has no gaps by contract: the mirror needs no second reading. */
    leading: {
      tags: 'leading',
      on: {
        'store.changed': { actions: 'changed' },
        'store.compacted': 'listing',
        'store.failed': { target: 'listingSoon', actions: 'noteDoubt' },
        ...onCommands('command'),
        'app.plan': { actions: 'plan' },
        'revisions.list': { actions: 'revisions' },
        'revision.find': { actions: 'findRevisionOf' },
      },
      initial: 'settled',
      states: {
        settled: { always: { guard: 'hasRound', target: 'writing' } },
        writing: {
          entry: 'writeRound',
          on: {
            'round.written': { target: 'settled', actions: 'roundWritten' },
            'round.unwritten': 'writingSoon',
          },
        },
        /** The outcome may be unknown: the next round compares again, so a write that took effect is not repeated. */
        writingSoon: { after: { retry: 'settled' } },
      },
    },
  },
});
