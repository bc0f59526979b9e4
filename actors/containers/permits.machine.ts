/** Hands out the permits to launch containers. One life loses nothing: whoever waits asks again. */
import { setup } from 'xstate';
import { permitsSteps, type PermitsValue } from '../../protocols/containers/permits.ts';
import type { ActorPath } from '../../protocols/wire/address.ts';
import { deciding, perform } from '../decide.ts';

export const permitsMachine = setup({
  types: {} as {
    context: PermitsValue;
    events:
      | { type: 'permit.request' | 'permit.release'; to: ActorPath; at: number }
      | { type: 'actor.exited'; path: ActorPath; at: number };
    tags: 'ready';
  },
  actions: { perform, ...deciding<PermitsValue, typeof permitsSteps>(permitsSteps) },
}).createMachine({
  id: 'permits',
  context: { holders: [], queue: [] },
  initial: 'open',
  states: {
    open: {
      tags: 'ready',
      on: {
        'permit.request': { actions: 'request' },
        'permit.release': { actions: 'returned' },
        'actor.exited': { actions: 'holderEnded' },
      },
    },
  },
});
