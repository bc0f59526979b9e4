/** Probes members over streams, slowly by turns and at once on demand. What answers mean is the core's business. */
import { setup } from 'xstate';
import type { Reason } from '../../protocols/errors.ts';
import {
  proberSteps,
  proberValue,
  type ProberInput,
  type ProberValue,
} from '../../protocols/membership/actors/prober.ts';
import type { NodeId } from '../../protocols/membership/model.ts';
import type { RosterEntry } from '../../protocols/membership/views/port.ts';
import { deciding, perform } from '../decide.ts';

export const proberMachine = setup({
  types: {} as {
    context: ProberValue;
    events: { at: number } & (
      | { type: 'round.due' }
      | { type: 'roster.listed'; value: { readonly members: readonly RosterEntry[] } }
      | { type: 'list.failed'; error: Reason }
      | { type: 'ask.wanted'; member: NodeId }
      | { type: 'ask.answered'; id: NodeId }
      | { type: 'ask.failed'; id: NodeId; error: Reason }
    );
    input: ProberInput;
    tags: 'ready';
  },
  actions: { perform, ...deciding<ProberValue, typeof proberSteps>(proberSteps) },
}).createMachine({
  id: 'prober',
  context: ({ input }) => proberValue(input),
  initial: 'probing',
  states: {
    probing: {
      tags: 'ready',
      entry: 'begin',
      on: {
        'round.due': { actions: 'list' },
        'roster.listed': { actions: 'askNext' },
        'ask.wanted': { actions: 'askThis' },
        'ask.answered': { actions: 'settle' },
        'ask.failed': { actions: 'settle' },
      },
    },
  },
});
