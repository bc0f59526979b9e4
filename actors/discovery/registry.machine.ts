/** Keeps the node's name server and published ports equal to what the slots report. Pushes whole tables, newest wins. */
import { setup } from 'xstate';
import type { SlotName } from '../../protocols/apps/model.ts';
import type { SlotStatus } from '../../protocols/apps/status.ts';
import {
  freshRegistry,
  registryGuards,
  registrySteps,
  type RegistryValue,
} from '../../protocols/discovery/registry.ts';
import type { Reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import { deciding, guarding, perform } from '../decide.ts';

export const registryMachine = setup({
  types: {} as {
    context: RegistryValue;
    events: { at: number } & (
      | {
          type: 'observed.changed';
          slots: readonly SlotStatus[];
          gone: readonly string[];
          whole?: boolean;
          complete?: boolean;
        }
      | { type: 'endpoint.withdraw'; slot: SlotName; to: string }
      | { type: 'names.pushed' | 'ports.pushed' }
      | { type: 'names.refused' | 'ports.refused'; error: Reason }
    );
    tags: 'ready';
  },
  guards: guarding<RegistryValue, typeof registryGuards>(registryGuards),
  delays: { retry: limits.retryMs, reconcile: limits.reconcileMs },
  actions: { perform, ...deciding<RegistryValue, typeof registrySteps>(registrySteps) },
}).createMachine({
  id: 'registry',
  context: freshRegistry,
  tags: 'ready',
  type: 'parallel',
  entry: 'begin',
  on: { 'observed.changed': { actions: 'note' }, 'endpoint.withdraw': { actions: 'withdraw' } },
  states: {
    names: {
      initial: 'current',
      states: {
        current: { always: { guard: 'namesChanged', target: 'pushing' } },
        pushing: {
          entry: 'pushNames',
          on: {
            'names.pushed': { target: 'current', actions: 'namesDone' },
            'names.refused': { target: 'soon', actions: 'noteTrouble' },
          },
        },
        soon: { after: { retry: 'pushing' } },
      },
    },
    ports: {
      initial: 'current',
      states: {
        /** Rules are written anew now and then: somebody may have flushed them. */
        current: {
          always: { guard: 'portsChanged', target: 'pushing' },
          after: {
            reconcile: [
              { guard: 'isComplete', target: 'pushing' },
              { target: 'current', reenter: true },
            ],
          },
        },
        pushing: {
          entry: 'pushPorts',
          on: {
            'ports.pushed': { target: 'current', actions: 'portsDone' },
            'ports.refused': { target: 'soon', actions: 'noteTrouble' },
          },
        },
        soon: { after: { retry: 'pushing' } },
      },
    },
  },
});
