/** One health check of one running container. Says what it finds; what follows is the slot's business. */
import { setup } from 'xstate';
import type { HealthcheckSpec } from '../../protocols/apps/model.ts';
import type { ExecResult, RunKey } from '../../protocols/containers/model.ts';
import type { Reason } from '../../protocols/errors.ts';
import {
  checkGuards,
  checkSteps,
  checkValue,
  pauseMs,
  type CheckValue,
} from '../../protocols/health/probe.ts';
import { deciding, guarding, perform } from '../decide.ts';

export const checkMachine = setup({
  types: {} as {
    context: CheckValue;
    events: { at: number; id: string } & (
      { type: 'probe.answered'; value: ExecResult } | { type: 'probe.failed'; error: Reason }
    );
    input: { owner: string; key: RunKey; containerId: string; spec: HealthcheckSpec; at: number };
    tags: 'ready';
  },
  guards: guarding<CheckValue, typeof checkGuards>(checkGuards),
  delays: { pause: ({ context }: { context: CheckValue }) => pauseMs(context) },
  actions: { perform, ...deciding<CheckValue, typeof checkSteps>(checkSteps) },
}).createMachine({
  id: 'check',
  context: ({ input }) => checkValue(input),
  tags: 'ready',
  initial: 'probing',
  entry: 'begin',
  states: {
    probing: {
      entry: 'probe',
      on: {
        'probe.answered': { target: 'pausing', actions: 'judge' },
        'probe.failed': [
          { guard: 'saysNothing', target: 'pausing' },
          { target: 'pausing', actions: 'judge' },
        ],
      },
    },
    pausing: { after: { pause: 'probing' } },
  },
});
