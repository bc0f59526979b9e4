/**
 * The one supervisor of the house, in OTP's words. The chart says when it starts, serves, stops and gives up; who
 * is started, stopped or restarted is decided in `protocols/supervision`. It takes `child.start {spec}`,
 * `child.stop {id}` and `child.restart {id}`, and answers an ask with `{started}`, `{stopped}` (once it is gone)
 * and `{restarted}`.
 */
import { setup } from 'xstate';
import { deciding, guarding, perform } from '../actors/decide.ts';
import type { Message } from '../protocols/effects.ts';
import type { ExitOutput } from '../protocols/supervision/child-spec.ts';
import { foundFamily, type Family, type FamilyInput } from '../protocols/supervision/children.ts';
import { familyGuards, familySteps } from '../protocols/supervision/family-steps.ts';

type SupervisorEvent =
  | (Message & { type: 'child.started' | 'child.ready' | 'child.exited' })
  | (Message & { type: 'child.start' | 'child.stop' | 'child.restart' })
  | (Message & { type: 'restart.due' | 'kill.due' })
  | (Message & { type: 'sys.shutdown' });

const serving = {
  /** Kept for the transcript: the family counts a child as starting from the moment it asks for it. */
  'child.started': {},
  'child.ready': { actions: 'childReady' },
  'child.exited': [
    { guard: 'exceedsIntensity', target: 'escalating', actions: 'giveUp' },
    { actions: 'childExited' },
  ],
  'restart.due': { actions: 'restartDue' },
  'kill.due': { actions: 'killDue' },
  'child.start': { actions: 'startChild' },
  'child.stop': { actions: 'stopChild' },
  'child.restart': { actions: 'restartChild' },
  'sys.shutdown': { target: 'stopping', actions: 'shutDown' },
} as const;

const ending = {
  'child.started': {},
  'child.exited': { actions: 'childExited' },
  'kill.due': { actions: 'killDue' },
} as const;

export const supervisorMachine = setup({
  types: {} as {
    context: Family;
    events: SupervisorEvent;
    input: FamilyInput;
    output: ExitOutput;
    tags: 'ready';
  },
  guards: guarding<Family, typeof familyGuards>(familyGuards),
  actions: { perform, ...deciding<Family, typeof familySteps>(familySteps) },
}).createMachine({
  id: 'supervisor',
  context: ({ input }) => foundFamily(input),
  output: ({ context }) => ({ exit: context.exit }),
  initial: 'starting',
  states: {
    starting: {
      entry: 'begin',
      always: { guard: 'allStarted', target: 'running' },
      on: serving,
    },
    running: { tags: 'ready', on: serving },
    stopping: {
      always: { guard: 'allGone', target: 'stopped' },
      on: ending,
    },
    escalating: {
      always: { guard: 'allGone', target: 'stopped' },
      on: ending,
    },
    stopped: { type: 'final' },
  },
});
