/** Small machines to supervise: they end as they are told, crash where they are told, hear or ignore a shutdown. */
import { assign, setup } from 'xstate';
import { perform } from '../../actors/decide.ts';
import type { Effect, Message } from '../../protocols/effects.ts';
import type { ExitOutput, ExitReason } from '../../protocols/supervision/child-spec.ts';

interface Heard {
  readonly heard: readonly Message[];
}

/** `work.end {exit}` ends it, `work.fail {text}` crashes it, `work.do {effects}` performs, anything else is remembered. */
export const workerMachine = setup({
  types: {} as {
    context: Heard & { readonly exit: ExitReason };
    events: Message;
    output: ExitOutput;
    tags: 'ready';
  },
  actions: {
    perform,
    fail: ({ event }) => {
      throw new Error(typeof event['text'] === 'string' ? event['text'] : 'told to fail');
    },
  },
}).createMachine({
  id: 'worker',
  context: { heard: [], exit: { kind: 'normal' } },
  output: ({ context }) => ({ exit: context.exit }),
  initial: 'working',
  states: {
    working: {
      tags: 'ready',
      on: {
        'work.end': {
          target: 'ended',
          actions: assign({ exit: ({ event }) => event['exit'] as ExitReason }),
        },
        'work.fail': { actions: 'fail' },
        'work.do': {
          actions: {
            type: 'perform',
            params: ({ event }) => ({ effects: event['effects'] as Effect[] }),
          },
        },
        'work.ask': {
          actions: {
            type: 'perform',
            params: ({ event }) => ({
              effects: [{ do: 'reply', to: String(event['replyTo']), value: event['value'] }],
            }),
          },
        },
        'sys.shutdown': {
          target: 'ended',
          actions: assign({ exit: { kind: 'shutdown' } as const }),
        },
        '*': { actions: assign({ heard: ({ context, event }) => [...context.heard, event] }) },
      },
    },
    ended: { type: 'final' },
  },
});

/** Has no ear for a shutdown. */
export const deafMachine = setup({ types: {} as { tags: 'ready' } }).createMachine({
  id: 'deaf',
  initial: 'working',
  states: { working: { tags: 'ready' } },
});

/** Hears the shutdown and goes on. */
export const stubbornMachine = setup({
  types: {} as { tags: 'ready' },
  actions: { refuse: () => {} },
}).createMachine({
  id: 'stubborn',
  initial: 'working',
  states: { working: { tags: 'ready', on: { 'sys.shutdown': { actions: 'refuse' } } } },
});

/** Becomes ready only when it is told. */
export const slowMachine = setup({
  types: {} as { tags: 'ready'; events: Message },
  actions: {
    fail: () => {
      throw new Error('told to fail');
    },
  },
}).createMachine({
  id: 'slow',
  initial: 'preparing',
  states: {
    preparing: { on: { 'work.prepared': 'working', 'work.fail': { actions: 'fail' } } },
    working: { tags: 'ready' },
  },
});

export const workers = {
  worker: workerMachine,
  deaf: deafMachine,
  stubborn: stubbornMachine,
  slow: slowMachine,
} as const;
