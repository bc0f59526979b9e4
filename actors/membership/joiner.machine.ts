/** Whether this node has found others; gives each that is heard of an actor. The core tries them, this tells. */
import { setup } from 'xstate';
import type { Reason } from '../../protocols/errors.ts';
import {
  joinerGuards,
  joinerSteps,
  joinerValue,
  type JoinerInput,
  type JoinerValue,
  type MetMember,
} from '../../protocols/membership/actors/joiner.ts';
import type { MemberAddress, NodeId } from '../../protocols/membership/model.ts';
import type { RosterEntry } from '../../protocols/membership/views/port.ts';
import { deciding, guarding, perform } from '../decide.ts';

export const joinerMachine = setup({
  types: {} as {
    context: JoinerValue;
    events: { at: number } & (
      | { type: 'roster.listed'; value: { readonly members: readonly RosterEntry[] } }
      | { type: 'list.failed'; error: Reason }
      | { type: 'member.met'; member: MetMember }
      /** When the first living member appears, and when the last is gone. */
      | { type: 'members.counted'; living: number }
      | { type: 'exchange.answered'; address: MemberAddress; id: NodeId }
      | { type: 'exchange.failed'; address: MemberAddress; error: Reason }
      | { type: 'seeking.due' }
    );
    input: JoinerInput;
    tags: 'ready';
  },
  guards: guarding<JoinerValue, typeof joinerGuards>(joinerGuards),
  actions: { perform, ...deciding<JoinerValue, typeof joinerSteps>(joinerSteps) },
}).createMachine({
  id: 'joiner',
  context: ({ input }) => joinerValue(input),
  tags: 'ready',
  initial: 'reading',
  on: {
    'member.met': { actions: 'startOne' },
    'exchange.answered': { actions: 'noteTry' },
    'exchange.failed': { actions: 'noteTry' },
  },
  states: {
    reading: {
      entry: 'list',
      on: {
        'roster.listed': [
          { guard: 'someListed', target: 'joined', actions: 'startAll' },
          { target: 'seeking', actions: 'startAll' },
        ],
        'members.counted': { guard: 'someLive', target: 'joined', actions: ['tellJoined', 'list'] },
      },
    },
    /** Nobody else is alive. */
    seeking: {
      entry: 'seek',
      on: {
        'members.counted': { guard: 'someLive', target: 'joined', actions: 'tellJoined' },
        'seeking.due': { actions: 'tellUnreachable' },
      },
    },
    joined: {
      on: {
        'members.counted': { guard: 'nobodyLives', target: 'seeking', actions: 'tellAlone' },
        'roster.listed': { actions: 'startAll' },
      },
    },
  },
});
