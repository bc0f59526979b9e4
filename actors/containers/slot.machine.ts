/**
 * A slot: the n-th replica of a service on this node. It owns runs and the restart policy: which container runs
 * next, and when. It is not the container (`container.machine.ts`) and decides nothing about placement.
 */
import { setup } from 'xstate';
import type { SlotEvent } from '../../protocols/containers/slot/events.ts';
import { slotGuards } from '../../protocols/containers/slot/guards.ts';
import { slotSteps } from '../../protocols/containers/slot/steps.ts';
import type { SlotValue } from '../../protocols/containers/slot/value.ts';
import { limits } from '../../protocols/limits.ts';
import type { ExitOutput } from '../../protocols/supervision/child-spec.ts';
import { deciding, guarding, perform } from '../decide.ts';

/** A newer placement leads to `target`; an older one is late; the same one only brings news. */
const assigned = <Target extends string, Tell extends string>(target: Target, tell: Tell) =>
  [
    { guard: 'isNewPlacement', target, actions: 'assign' },
    { guard: 'isOldPlacement' },
    { actions: ['assign', tell] },
  ] as const;

/** … and one that serves goes on until the image of a newer placement is there. */
const followed = <Tell extends string>(tell: Tell) =>
  [{ guard: 'awaitsImage', actions: ['fetchImage', 'retell'] }, ...assigned('#slot.retiring', tell)] as const;

const exited = [
  { guard: 'endsCompleted', target: 'completed', actions: 'concludeExit' },
  { guard: 'endsFailed', target: 'failed', actions: 'concludeExit' },
  { guard: 'isOurs', target: 'backoff', actions: 'concludeExit' },
] as const;

const judged = [
  { guard: 'becameHealthy', target: 'ready', actions: 'noteHealth' },
  { guard: 'becameUnhealthy', target: 'unhealthy', actions: 'noteHealth' },
  { guard: 'becameUnready', target: 'withdrawn', actions: 'noteHealth' },
] as const;

const recovered = [
  { guard: 'becameHealthy', target: 'ready', actions: 'noteHealth' },
  { guard: 'becameUnready', target: 'withdrawn', actions: 'noteHealth' },
] as const;

/** The answer to an earlier write says nothing about the newest. */
const unwritten = [{ guard: 'isLateAnswer' }, { target: 'waiting', actions: 'noteJournalTrouble' }] as const;

/** The journal says that it is to end: an earlier end of it is of no account. */
const letGo = {
  'container.exited': { actions: 'letGo' },
  'container.ended': { actions: 'letGo' },
} as const;

/** Until the present container is gone, whoever says so; its actor is asked again if it was lost. */
const untilGone = <Here extends string, Next extends string>(here: Here, next: Next) =>
  ({
    'container.gone': { guard: 'isOurs', target: next },
    'actor.exited': [
      { guard: 'containerActorEnded', target: next },
      { guard: 'containerActorLost', actions: 'containerSoon' },
    ],
    'container.due': { target: here, reenter: true },
  }) as const;

export const slotMachine = setup({
  types: {} as {
    context: SlotValue;
    events: SlotEvent;
    input: { node: string; slot: string };
    output: ExitOutput;
    tags: 'ready';
  },
  guards: guarding<SlotValue, typeof slotGuards>(slotGuards),
  delays: { recheck: limits.reconcileMs, retry: limits.retryMs, answer: 5 * limits.retryMs },
  actions: { perform, ...deciding<SlotValue, typeof slotSteps>(slotSteps) },
}).createMachine({
  id: 'slot',
  context: ({ input }) => ({ node: input.node, slot: input.slot, writes: 0 }),
  output: { exit: { kind: 'normal' } },
  initial: 'recovering',
  on: {
    'sys.shutdown': '.detached',
    'slot.report': { actions: 'repeat' },
    'run.noted': { guard: 'isNewestWrite', actions: 'settleNote' },
    'run.unnoted': { actions: 'noteSoon' },
    // Said until it is answered: of the present run, of one before it, or of one that is no run of this slot any more.
    'container.exited': [{ guard: 'endIsUnknown' }, { actions: 'letGo' }],
    'container.ended': [{ guard: 'endIsUnknown' }, { actions: 'letGo' }],
    // Not while a write is awaited: it holds all there is to say, and an answer to another would be taken for its own.
    'note.due': { actions: 'noteAgain' },
    'container.found': [
      { guard: 'findsLaterRun', target: '.adopting', actions: 'adoptRun' },
      { guard: 'isStray', actions: 'removeStray' },
    ],
    'container.began': { guard: 'isOurs', actions: 'watchContainer' },
    'container.prestopped': { guard: 'isOurs', actions: 'notePreStopped' },
    'check.began': { guard: 'isOurs', actions: 'watchCheck' },
    'image.fetched': { actions: 'takeFetched' },
    'image.unfetched': { actions: ['noteUnfetched', 'retell'] },
    'fetch.due': { actions: 'fetchAgain' },
    'fetch.look': { actions: 'lookAtFetch' },
    'fetch.listed': { actions: ['noteFetch', 'retell'] },
  },
  states: {
    recovering: {
      tags: 'ready',
      entry: 'readJournal',
      on: {
        'journal.read': { target: 'resuming', actions: ['recover', 'fetchAgain'] },
        'journal.failed': { actions: 'retrySoon' },
        'retry.due': { target: 'recovering', reenter: true },
        // In the journal before it is told: read it once more.
        'slot.assigned': { target: 'recovering', reenter: true },
        'slot.terminate': { target: 'recovering', reenter: true },
        // Judged when the journal has been read; it is shown again.
        'container.found': {},
        // Whether its end is in the journal is not known yet; it is said again.
        'container.exited': {},
        'container.ended': {},
      },
    },
    resuming: {
      tags: 'ready',
      always: [
        { guard: 'nothingAssigned', target: 'gone' },
        { guard: 'isToEnd', target: 'stopping' },
        { guard: 'isToBeForgotten', target: 'clearing' },
        { guard: 'holdsOlderRun', target: 'retiring' },
        { guard: 'hasCompleted', target: 'completed' },
        { guard: 'failsStill', target: 'failing' },
        { guard: 'hasFailed', target: 'failed' },
        { guard: 'waitsForBackoff', target: 'recycling' },
        { guard: 'holdsCurrentRun', target: 'starting' },
        { target: 'numbering' },
      ],
    },
    /** The new run is being written to the journal; nothing is started before that. */
    numbering: {
      tags: 'ready',
      entry: ['numberRun', 'tellStarting'],
      on: {
        'run.recorded': [
          { guard: 'isLateAnswer' },
          { guard: 'recordIsCurrent', target: 'starting', actions: 'settleNote' },
          { target: 'numbering', reenter: true },
        ],
        'run.failed': unwritten,
        'slot.assigned': { actions: 'assign' },
        'slot.terminate': 'clearing',
        'note.due': {},
      },
    },
    renumbering: {
      tags: 'ready',
      entry: 'numberAttempt',
      on: {
        'run.recorded': [
          { guard: 'isLateAnswer' },
          { guard: 'recordIsCurrent', target: 'starting', actions: 'settleNote' },
          { target: 'numbering' },
        ],
        'run.failed': unwritten,
        'slot.assigned': { actions: 'assign' },
        'slot.terminate': 'clearing',
        'note.due': {},
      },
    },
    /** The runtime holds a later run than the journal knew. */
    adopting: {
      tags: 'ready',
      entry: 'tellStarting',
      on: {
        'run.recorded': [{ guard: 'isLateAnswer' }, { target: 'starting', actions: 'settleNote' }],
        'run.failed': [{ guard: 'isLateAnswer' }, { target: 'starting', actions: 'noteSoon' }],
        'slot.assigned': assigned('retiring', 'tellStarting'),
        'slot.terminate': 'stopping',
        'note.due': {},
      },
    },
    starting: {
      tags: 'ready',
      entry: ['launch', 'tellStarting'],
      after: { recheck: { target: 'starting', reenter: true, actions: 'relaunch' } },
      on: {
        'container.running': { guard: 'isOurs', target: 'running', actions: 'noteRunning' },
        'container.hooking': { guard: 'isOurs', actions: 'noteHooking' },
        'hook.failed': [
          { guard: 'endsFailed', target: 'failing', actions: 'concludeHook' },
          { guard: 'isOurs', target: 'recycling', actions: 'concludeHook' },
        ],
        'container.failed': { guard: 'isOurs', target: 'waiting', actions: 'noteFailure' },
        'container.delayed': { guard: 'isOurs', actions: ['noteDelay', 'tellStarting'] },
        'container.exited': exited,
        // It ended while this slot was away: the next actor looks and says so.
        'container.gone': { guard: 'isOurs', actions: 'containerSoon' },
        'actor.exited': { guard: 'containerActorLost', actions: 'containerSoon' },
        'container.due': { actions: 'relaunch' },
        'slot.assigned': assigned('retiring', 'tellStarting'),
        'slot.terminate': 'stopping',
      },
    },
    /** Cannot start for a reason that may go away; tried again by itself. */
    waiting: {
      tags: 'ready',
      entry: 'tellWaiting',
      on: {
        'retry.due': 'renumbering',
        'slot.assigned': assigned('numbering', 'tellWaiting'),
        'slot.terminate': 'clearing',
      },
    },
    running: {
      tags: 'ready',
      initial: 'arriving',
      exit: ['leaveRunning', 'unsettle'],
      on: {
        'container.exited': exited,
        'container.gone': { guard: 'isOurs', actions: 'containerSoon' },
        'actor.exited': [
          { guard: 'containerActorLost', actions: 'containerSoon' },
          { guard: 'checkActorLost', actions: 'checkSoon' },
        ],
        'container.due': { actions: 'relaunch' },
        'check.due': { actions: 'recheck' },
        'stable.due': { actions: 'noteStable' },
        'settle.due': { actions: ['noteSettled', 'retell'] },
        'container.delayed': { guard: 'isOurs', actions: ['noteDelay', 'retell'] },
        'container.eased': { guard: 'isOurs', actions: ['noteEased', 'retell'] },
        'container.paused': [
          { guard: 'wasPaused', target: '.paused', actions: 'notePaused' },
          { guard: 'isOurs', target: '.arriving', actions: ['notePaused', 'recheck'] },
        ],
        'slot.terminate': 'stopping',
      },
      states: {
        arriving: {
          always: [
            { guard: 'isPaused', target: 'paused' },
            { guard: 'wasReady', target: 'ready' },
            { guard: 'isGated', target: 'unready' },
            { target: 'ready' },
          ],
        },
        /** Not in the name service yet: what gates it has not passed. */
        unready: {
          entry: ['noteStarting', 'tellUnready'],
          on: {
            'health.changed': judged,
            'slot.assigned': assigned('#slot.retiring', 'tellUnready'),
          },
        },
        ready: {
          entry: 'tellReady',
          on: {
            'health.changed': [
              { guard: 'becameUnhealthy', target: 'unhealthy', actions: 'noteHealth' },
              { guard: 'becameUnready', target: 'withdrawn', actions: 'noteHealth' },
            ],
            'slot.assigned': followed('tellReady'),
          },
        },
        /** Its readiness probe fails: it lives, and nothing is sent to it. */
        withdrawn: {
          entry: 'tellWithdrawn',
          on: {
            'health.changed': [
              { guard: 'becameHealthy', target: 'ready', actions: 'noteHealth' },
              { guard: 'becameUnhealthy', target: 'unhealthy', actions: 'noteHealth' },
            ],
            'slot.assigned': followed('tellWithdrawn'),
          },
        },
        /** It stands still at somebody's wish: nothing is sent to it, and it is not probed. */
        paused: {
          entry: ['leaveRunning', 'tellWithdrawn'],
          on: { 'slot.assigned': followed('tellWithdrawn') },
        },
        /** Withdrawn first, then looked at: it may have ended, and nobody heard of it. */
        unhealthy: {
          entry: ['tellUnhealthy', 'lookAtContainer'],
          after: { answer: { target: 'unhealthy', reenter: true } },
          on: {
            'container.stands': { guard: 'isOurs', target: 'condemned' },
            'health.changed': recovered,
            'slot.assigned': assigned('#slot.retiring', 'tellUnhealthy'),
          },
        },
        /** Restarted as the policy allows. */
        condemned: {
          entry: 'concludeUnhealthy',
          always: { guard: 'mayRestart', target: '#slot.recycling' },
          on: { 'health.changed': recovered, 'slot.assigned': assigned('#slot.retiring', 'tellUnhealthy') },
        },
      },
    },
    recycling: {
      tags: 'ready',
      entry: ['retire', 'tellStopping'],
      after: { recheck: { target: 'recycling', reenter: true } },
      on: {
        ...untilGone('recycling', 'backoff'),
        'slot.assigned': [
          { guard: 'isNewPlacement', target: 'retiring', actions: 'assign' },
          { guard: 'isOldPlacement' },
          { actions: 'assign' },
        ],
        'slot.terminate': 'stopping',
      },
    },
    /** Failed for good, and still to be stopped. */
    failing: {
      tags: 'ready',
      entry: ['retire', 'tellStopping'],
      after: { recheck: { target: 'failing', reenter: true } },
      on: {
        ...untilGone('failing', 'failed'),
        'slot.assigned': [
          { guard: 'isNewPlacement', target: 'retiring', actions: 'assign' },
          { guard: 'isOldPlacement' },
          { actions: 'assign' },
        ],
        'slot.terminate': 'stopping',
      },
    },
    backoff: {
      tags: 'ready',
      entry: ['waitBackoff', 'tellBackoff'],
      on: {
        'backoff.due': 'numbering',
        'slot.assigned': assigned('numbering', 'tellBackoff'),
        'slot.terminate': 'clearing',
      },
    },
    /** A container of the placement before is being stopped; then the new one starts. */
    retiring: {
      tags: 'ready',
      entry: ['retire', 'tellStopping'],
      after: { recheck: { target: 'retiring', reenter: true } },
      on: {
        ...untilGone('retiring', 'numbering'),
        ...letGo,
        'slot.assigned': [{ guard: 'isOldPlacement' }, { actions: 'assign' }],
        'slot.terminate': 'stopping',
      },
    },
    completed: {
      tags: 'ready',
      entry: 'tellCompleted',
      on: {
        'slot.assigned': assigned('numbering', 'tellCompleted'),
        'slot.terminate': 'clearing',
      },
    },
    failed: {
      tags: 'ready',
      entry: 'tellFailed',
      on: {
        'slot.assigned': assigned('numbering', 'tellFailed'),
        'slot.terminate': 'clearing',
      },
    },
    stopping: {
      tags: 'ready',
      entry: ['dropNext', 'retire', 'tellStopping'],
      after: { recheck: { target: 'stopping', reenter: true } },
      on: {
        ...untilGone('stopping', 'clearing'),
        ...letGo,
        'container.found': [{ guard: 'isOurs' }, { guard: 'isStray', actions: 'removeStray' }, {}],
        /** It came back before it was gone: a stop that has begun is finished first. */
        'slot.assigned': [{ guard: 'isOldPlacement' }, { target: 'retiring', actions: 'assign' }],
      },
    },
    clearing: {
      tags: 'ready',
      entry: ['dropNext', 'forget'],
      on: {
        'run.forgotten': 'gone',
        'run.failed': [{ guard: 'isLateAnswer' }, { actions: 'noteJournalTrouble' }],
        'retry.due': { target: 'clearing', reenter: true },
        'container.found': [{ guard: 'isStray', actions: 'removeStray' }, {}],
        'slot.assigned': [{ guard: 'isOldPlacement' }, { target: 'numbering', actions: 'assign' }],
      },
    },
    gone: { type: 'final', entry: 'sayGone' },
    /** The actor goes, its container stays. */
    detached: { type: 'final' },
  },
});
