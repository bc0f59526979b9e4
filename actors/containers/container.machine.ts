/**
 * One attempt at a container: pending → pulling → preparing → creating → attaching → starting → running →
 * withdrawing → draining → pre-stopping → stopping → removed. Its exit is news for its slot, never a crash of its own. An actor that starts anew looks
 * first what the runtime holds under its id, and adopts it.
 */
import { setup } from 'xstate';
import type { ContainerEvent } from '../../protocols/containers/container-events.ts';
import { containerGuards, containerSteps } from '../../protocols/containers/container.ts';
import {
  containerValue,
  type ContainerInput,
  type ContainerValue,
} from '../../protocols/containers/life/value.ts';
import { endingGuards, endingSteps } from '../../protocols/containers/ending.ts';
import { grantGuards, grantSteps } from '../../protocols/containers/grants.ts';
import { limits } from '../../protocols/limits.ts';
import type { ExitOutput } from '../../protocols/supervision/child-spec.ts';
import { deciding, guarding, perform } from '../decide.ts';

const steps = { ...containerSteps, ...endingSteps, ...grantSteps };
const guards = { ...containerGuards, ...endingGuards, ...grantGuards };

/** Removed once its slot says so, or by other hands. */
const whenNoted = {
  'container.remove': 'removing',
  'runtime.exited': { guard: 'hasVanished', target: 'removing' },
} as const;

export const containerMachine = setup({
  types: {} as {
    context: ContainerValue;
    events: ContainerEvent;
    input: ContainerInput;
    output: ExitOutput;
    tags: 'ready';
  },
  guards: guarding<ContainerValue, typeof guards>(guards),
  delays: {
    retry: limits.retryMs,
    progress: limits.imageProgressMs,
    answer: 5 * limits.retryMs,
    grace: ({ context }: { context: ContainerValue }) => context.assignment.spec.stopGraceMs,
    stuck: limits.killMs,
  },
  actions: { perform, ...deciding<ContainerValue, typeof steps>(steps) },
}).createMachine({
  id: 'container',
  context: ({ input }) => containerValue(input),
  output: { exit: { kind: 'normal' } },
  tags: 'ready',
  initial: 'pending',
  entry: 'begin',
  /** A permit that comes when it is no longer needed goes straight back. */
  on: {
    'permit.granted': { actions: 'releasePermit' },
    'container.resources': { actions: 'wishResources' },
    'container.reassigned': { actions: 'reassign' },
  },
  states: {
    pending: {
      entry: 'inspect',
      after: { answer: { target: 'pending', reenter: true } },
      on: {
        'container.inspected': [
          { guard: 'isRunning', target: 'adopting', actions: 'adopt' },
          { guard: 'hasStopped', target: 'exited', actions: 'adopt' },
          { guard: 'stopsWanted', target: 'removing' },
          { guard: 'isLeftover', target: 'discarding' },
          { guard: 'wasStarted', target: 'exited' },
          { target: 'pulling' },
        ],
        'container.refused': { target: 'delaying', actions: 'delayed' },
        'container.stop': { actions: 'wantStop' },
      },
    },
    delaying: { after: { retry: 'pending' }, on: { 'container.stop': { actions: 'wantStop' } } },
    adopting: {
      always: [
        { guard: 'leavesFirst', target: 'withdrawing' },
        { guard: 'stopsWanted', target: 'preStopping' },
        { guard: 'hooksOpen', target: 'hooking' },
        { target: 'running' },
      ],
    },
    pulling: {
      entry: 'pull',
      initial: 'waiting',
      states: {
        waiting: { after: { progress: 'looking' } },
        looking: {
          entry: 'lookAtPull',
          on: {
            'pulls.listed': { target: 'waiting', actions: 'sayPull' },
            'pulls.refused': 'waiting',
          },
        },
      },
      on: {
        'image.ensured': { target: 'preparing', actions: 'notePulled' },
        'container.refused': { target: 'failed', actions: 'refuse' },
        'container.stop': 'removing',
      },
    },
    preparing: {
      initial: 'ports',
      on: { 'container.refused': { target: 'failed', actions: 'refuse' }, 'container.stop': 'removing' },
      states: {
        ports: {
          entry: 'checkPorts',
          on: {
            'ports.checked': [
              { guard: 'someTaken', target: '#container.failed', actions: 'portTaken' },
              { target: 'mounts' },
            ],
          },
        },
        mounts: {
          entry: 'mountNext',
          always: [
            { guard: 'mountedWithoutAddress', target: 'files' },
            { guard: 'allMounted', target: 'address' },
          ],
          on: { 'mount.resolved': { target: 'mounts', reenter: true, actions: 'mounted' } },
        },
        address: {
          entry: 'claimAddress',
          after: { answer: { target: 'address', reenter: true } },
          on: {
            'address.claimed': { target: 'files', actions: 'addressed' },
            'address.refused': { target: '#container.failed', actions: 'refuse' },
          },
        },
        files: { entry: 'prepareFiles', on: { 'files.prepared': { target: 'permit', actions: 'filed' } } },
        permit: {
          entry: 'requestPermit',
          after: { answer: { target: 'permit', reenter: true } },
          on: { 'permit.granted': '#container.launching' },
        },
      },
    },
    /** What needs the runtime's hands: under a permit, and never left half way without a removal. */
    launching: {
      initial: 'granting',
      exit: 'releasePermit',
      on: {
        'container.refused': { target: 'discarding', actions: 'refuse' },
        'container.stop': { actions: 'wantStop' },
        // The answer to a question that was repeated: the permit is held already.
        'permit.granted': {},
        // Before the answer to its start.
        'runtime.exited': { actions: 'noteExit' },
      },
      states: {
        granting: { always: [{ guard: 'hasGrants', target: 'placing' }, { target: 'creating' }] },
        /** Configs and secrets, in memory: only now, so that they never wait for a container that is not about to be. */
        placing: {
          entry: 'placeGrants',
          on: {
            'grants.placed': [
              { guard: 'stopsWanted', target: '#container.removing' },
              { target: 'creating', actions: 'granted' },
            ],
          },
        },
        creating: {
          entry: 'create',
          on: {
            'container.created': [
              { guard: 'stopsWanted', target: '#container.removing', actions: 'created' },
              { guard: 'hasOwnAddress', target: 'attaching', actions: 'created' },
              { target: 'starting', actions: 'created' },
            ],
          },
        },
        attaching: {
          entry: 'attach',
          on: {
            'network.attached': [
              { guard: 'stopsWanted', target: '#container.removing' },
              { target: 'starting' },
            ],
          },
        },
        starting: {
          entry: 'start',
          on: {
            'container.started': [
              { guard: 'hasExited', target: '#container.exited', actions: 'noteStart' },
              { guard: 'stopsWanted', target: '#container.stopping', actions: 'noteStart' },
              { guard: 'hooksOpen', target: '#container.hooking', actions: 'noteStart' },
              { target: '#container.running', actions: 'noteStart' },
            ],
          },
        },
      },
    },
    /** The process runs, and its post-start hooks in it: it counts as started when they have passed. */
    hooking: {
      initial: 'command',
      entry: 'sayHooking',
      on: {
        'runtime.exited': { target: 'exited', actions: 'noteExit' },
        'container.stop': { target: 'stopping', actions: 'wantStop' },
        'container.report': { actions: 'sayHooking' },
      },
      states: {
        command: {
          entry: 'postStart',
          always: { guard: 'hooksOver', target: '#container.running' },
          on: {
            'hook.ended': [
              { guard: 'hookPassed', target: 'command', reenter: true, actions: 'postStarted' },
              { target: 'failed', actions: 'postStartFailed' },
            ],
            'container.refused': [
              { guard: 'hookUnheard', target: 'again' },
              { target: 'failed', actions: 'postStartFailed' },
            ],
          },
        },
        again: { after: { retry: 'command' } },
        failed: { entry: 'sayHookFailed', on: { 'container.report': { actions: 'sayHookFailed' } } },
      },
    },
    running: {
      entry: ['sayRunning', 'renewGrants'],
      initial: 'settled',
      on: {
        'runtime.paused': { guard: 'pauseChanged', actions: 'notePause' },
        'container.reassigned': { actions: ['reassign', 'renewGrants'] },
        'grants.renewed': { guard: 'changedFiles', actions: 'signalChange' },
        'grants.unrenewed': { actions: 'renewSoon' },
        'renew.due': { actions: 'renewGrants' },
        'runtime.exited': { target: 'exited', actions: 'noteExit' },
        'container.stop': [
          { guard: 'drains', target: 'withdrawing', actions: 'wantStop' },
          { target: 'preStopping', actions: 'wantStop' },
        ],
        'container.report': { actions: 'sayRunning' },
        'container.look': { actions: 'look' },
        'container.looked': [
          { guard: 'isSeenEnded', target: 'exited', actions: 'noteSeenExit' },
          { actions: 'sayStands' },
        ],
      },
      states: {
        settled: { always: { guard: 'resourcesDiffer', target: 'updating' } },
        updating: {
          entry: 'update',
          on: {
            'container.updated': { target: 'settled', actions: 'noteUpdated' },
            'container.refused': { target: 'updatingSoon', actions: 'noteUpdateRefused' },
          },
        },
        updatingSoon: { after: { answer: 'settled' } },
      },
    },
    /** Ended by itself. What is left of it is the only witness, until its slot has written that down. */
    exited: {
      entry: 'sayExited',
      after: { retry: { target: 'exited', reenter: true } },
      on: { ...whenNoted, 'container.report': { actions: 'sayExited' } },
    },
    /** Ended as it was asked to. */
    ended: { entry: 'sayEnded', after: { retry: { target: 'ended', reenter: true } }, on: whenNoted },
    /** Nothing new is sent there from the answer on. */
    withdrawing: {
      entry: 'withdraw',
      on: {
        'endpoint.withdrawn': 'draining',
        'withdraw.due': 'draining',
        'runtime.exited': { target: 'ended', actions: 'noteExit' },
      },
    },
    draining: {
      entry: 'drain',
      on: {
        'drain.due': 'preStopping',
        'runtime.exited': { target: 'ended', actions: 'noteExit' },
      },
    },
    preStopping: {
      entry: 'preStop',
      always: { guard: 'preStopsOver', target: 'stopping' },
      on: {
        'hook.ended': { target: 'preStopping', reenter: true, actions: 'preStopped' },
        'container.refused': { target: 'preStopping', reenter: true, actions: 'preStopped' },
        'runtime.exited': { target: 'ended', actions: 'noteExit' },
      },
    },
    stopping: {
      entry: 'signal',
      after: { grace: { target: 'killing', actions: 'sayOverdue' } },
      on: { 'runtime.exited': { target: 'ended', actions: 'noteExit' } },
    },
    killing: {
      entry: 'kill',
      after: { stuck: { target: 'killing', reenter: true, actions: 'sayStuck' } },
      on: {
        'runtime.exited': { target: 'ended', actions: 'noteExit' },
        'container.killed': 'ended',
        // Others removed it: removing it is done already.
        'container.refused': [{ guard: 'isUnknown', target: 'removing' }, { target: 'killingAgain' }],
      },
    },
    killingAgain: {
      after: { retry: 'killing' },
      on: { 'runtime.exited': { target: 'ended', actions: 'noteExit' } },
    },
    removing: {
      initial: 'container',
      after: { stuck: { actions: 'sayStuck' } },
      on: { 'container.report': { guard: 'endedByItself', actions: 'sayExited' } },
      states: {
        container: {
          entry: 'remove',
          on: { 'container.removed': 'link', 'container.refused': 'again' },
        },
        again: { after: { retry: 'container' } },
        link: {
          entry: 'detach',
          on: { 'network.detached': '#container.stopped', 'container.refused': '#container.stopped' },
        },
      },
    },
    /** A create that died half way, or a start that failed: remove what is there, then say why. */
    discarding: {
      entry: 'remove',
      on: { 'container.removed': 'failed', 'container.refused': 'discardingAgain' },
    },
    discardingAgain: { after: { retry: 'discarding' } },
    failed: { type: 'final', entry: 'sayFailed' },
    stopped: { type: 'final', entry: 'sayGone' },
  },
});
