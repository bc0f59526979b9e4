/** The probes of one running container. Says what it finds; what follows is the slot's business. */
import { setup } from 'xstate';
import type { ExecResult } from '../../protocols/containers/model.ts';
import type { Reason } from '../../protocols/errors.ts';
import type { ProbeResult, ProbeRole } from '../../protocols/health/model.ts';
import {
  checkGuards,
  checkSteps,
  checkValue,
  type CheckInput,
  type CheckValue,
} from '../../protocols/health/probe.ts';
import type { ActorPath } from '../../protocols/wire/address.ts';
import { deciding, guarding, perform } from '../decide.ts';

export const checkMachine = setup({
  types: {} as {
    context: CheckValue;
    events: { at: number } & (
      | { type: 'probe.due'; role: ProbeRole }
      | { type: 'probe.answered'; id: string; value: ExecResult | ProbeResult }
      | { type: 'probe.failed'; id: string; error: Reason }
      | { type: 'actor.exited'; path: ActorPath }
    );
    input: CheckInput;
    tags: 'ready';
  },
  guards: guarding<CheckValue, typeof checkGuards>(checkGuards),
  actions: { perform, ...deciding<CheckValue, typeof checkSteps>(checkSteps) },
}).createMachine({
  id: 'check',
  context: ({ input }) => checkValue(input),
  tags: 'ready',
  initial: 'startingUp',
  entry: 'begin',
  on: {
    'probe.due': { actions: 'ask' },
    'probe.answered': { actions: 'judge' },
    'probe.failed': [{ guard: 'saysNothing', actions: 'askAgain' }, { actions: 'judge' }],
    'actor.exited': '.ended',
  },
  states: {
    /** The start-up probe alone asks. */
    startingUp: { entry: 'beginStartup', always: { guard: 'hasStarted', target: 'watching' } },
    watching: { entry: 'beginOthers' },
    ended: { type: 'final' },
  },
});
