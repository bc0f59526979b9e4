/** One member of the cluster as this node holds it. The core decides; this tells, and shows what follows what. */
import { setup } from 'xstate';
import type { Reason } from '../../protocols/errors.ts';
import {
  memberGuards,
  memberSteps,
  memberValue,
  type MemberInput,
  type MemberValue,
} from '../../protocols/membership/actors/member.ts';
import type { Recalled } from '../../protocols/membership/views/port.ts';
import type { MemberView } from '../../protocols/membership/views/view.ts';
import { deciding, guarding, perform } from '../decide.ts';

export const memberMachine = setup({
  types: {} as {
    context: MemberValue;
    events: { at: number } & (
      | { type: 'member.heard'; view: MemberView }
      | { type: 'member.recalled'; value: Recalled }
      | { type: 'recall.failed'; error: Reason }
    );
    input: MemberInput;
    tags: 'ready';
  },
  guards: guarding<MemberValue, typeof memberGuards>(memberGuards),
  actions: { perform, ...deciding<MemberValue, typeof memberSteps>(memberSteps) },
}).createMachine({
  id: 'member',
  context: ({ input }) => memberValue(input),
  tags: 'ready',
  initial: 'recalling',
  states: {
    /** What the core knows of it by now. */
    recalling: {
      entry: 'recall',
      on: {
        'member.recalled': [
          { guard: 'lives', target: 'alive', actions: 'resume' },
          { guard: 'isSuspected', target: 'suspected', actions: 'resume' },
          { guard: 'isDead', target: 'dead', actions: 'resume' },
          { guard: 'hasLeft', target: 'left', actions: 'resume' },
        ],
      },
    },
    alive: {
      on: {
        'member.heard': [
          { guard: 'isSuspected', target: 'suspected', actions: 'heard' },
          { guard: 'isDead', target: 'dead', actions: 'heard' },
          { guard: 'hasLeft', target: 'left', actions: 'heard' },
          /** Started anew, or new words of itself. */
          { actions: 'heard' },
        ],
      },
    },
    suspected: {
      on: {
        'member.heard': [
          { guard: 'lives', target: 'alive', actions: 'heard' },
          { guard: 'isDead', target: 'dead', actions: 'heard' },
          { guard: 'hasLeft', target: 'left', actions: 'heard' },
          { actions: 'heard' },
        ],
      },
    },
    dead: {
      on: {
        'member.heard': [
          { guard: 'lives', target: 'alive', actions: 'heard' },
          { guard: 'isSuspected', target: 'suspected', actions: 'heard' },
          { guard: 'hasLeft', target: 'left', actions: 'heard' },
          { actions: 'heard' },
        ],
      },
    },
    /** Final for that boot: a later one may bring it back. */
    left: {
      on: {
        'member.heard': [
          { guard: 'lives', target: 'alive', actions: 'heard' },
          { guard: 'isSuspected', target: 'suspected', actions: 'heard' },
          { guard: 'isDead', target: 'dead', actions: 'heard' },
          { actions: 'heard' },
        ],
      },
    },
  },
});
