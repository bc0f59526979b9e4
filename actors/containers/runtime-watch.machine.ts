/** Follows the container runtime of this node and compares its list with what is known. Decides about no container. */
import { setup } from 'xstate';
import type { ContainerStatus, RunKey, RuntimeEvent } from '../../protocols/containers/model.ts';
import { runtimeWatchSteps, type RuntimeWatchValue } from '../../protocols/containers/runtime-watch.ts';
import type { Reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import { deciding, perform } from '../decide.ts';

export const runtimeWatchMachine = setup({
  types: {} as {
    context: RuntimeWatchValue;
    events:
      | {
          type: 'containers.listed';
          id: string;
          value: { containers: readonly ContainerStatus[] };
          at: number;
        }
      | { type: 'containers.unlisted'; id: string; error: Reason; at: number }
      | { type: 'containers.changed'; id: string; event: RuntimeEvent; at: number }
      | { type: 'containers.failed'; id: string; error: Reason; at: number }
      | { type: 'container.launched'; id: string; key: RunKey; lender?: string; at: number }
      | { type: 'orphan.asked'; id: string; at: number }
      | { type: 'container.cleared'; id: string; at: number };
    tags: 'ready';
  },
  delays: { retry: limits.retryMs, reconcile: limits.reconcileMs },
  actions: { perform, ...deciding<RuntimeWatchValue, typeof runtimeWatchSteps>(runtimeWatchSteps) },
}).createMachine({
  id: 'runtime-watch',
  context: { known: {}, calls: 0 },
  tags: 'ready',
  initial: 'comparing',
  entry: 'follow',
  on: {
    'containers.changed': { actions: 'pass' },
    'containers.listed': { target: '.following', actions: 'compare' },
    'container.launched': { actions: 'learn' },
    'container.cleared': { actions: 'unlearn' },
    // What came of it shows in the runtime's own events and in the next list.
    'orphan.asked': {},
    'containers.failed': { actions: ['unlisted', 'follow'] },
  },
  states: {
    comparing: {
      entry: 'list',
      on: { 'containers.unlisted': { target: 'unreachable', actions: 'unlisted' } },
    },
    unreachable: { after: { retry: 'comparing' } },
    following: {
      after: { reconcile: 'comparing' },
      on: { 'containers.unlisted': { target: 'unreachable', actions: 'unlisted' } },
    },
  },
});
