/**
 * What this node says of itself to the others, and what they say: signs its own records, pulls theirs, answers for both.
 * On a node of a cluster only. Pulls are not phases: several are under way at once, and the value holds them.
 */
import { setup } from 'xstate';
import type { Capacity } from '../../protocols/apps/capacity.ts';
import type { SlotStatus } from '../../protocols/apps/status.ts';
import type { RuntimeInfo } from '../../protocols/containers/model.ts';
import type { Reason } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { MemberAddress, NodeId } from '../../protocols/membership/model.ts';
import type { MemberChange, MemberView } from '../../protocols/membership/views/view.ts';
import type { RecordDigest } from '../../protocols/observed/digest.ts';
import type { MachineFacts, SignedHead } from '../../protocols/observed/model.ts';
import type { Seal } from '../../protocols/observed/ports.ts';
import { answerSteps } from '../../protocols/observed/steps/answers.ts';
import { ownGuards, ownSteps } from '../../protocols/observed/steps/own.ts';
import { peerGuards, peerSteps } from '../../protocols/observed/steps/peers.ts';
import {
  freshObserved,
  type ObservedInput,
  type ObservedValue,
} from '../../protocols/observed/steps/value.ts';
import { deciding, guarding, perform } from '../decide.ts';

const steps = { ...ownSteps, ...peerSteps, ...answerSteps };
const guards = { ...ownGuards, ...peerGuards };

export const observedMachine = setup({
  types: {} as {
    context: ObservedValue;
    events: { at: number; replyTo?: string } & (
      | {
          type: 'observed.changed';
          slots: readonly SlotStatus[];
          gone: readonly string[];
          whole?: boolean;
          complete?: boolean;
          reserved?: Capacity;
        }
      | { type: 'machine.measured'; value: MachineFacts }
      | { type: 'runtime.described'; value: RuntimeInfo }
      | { type: 'runtime.silent' | 'records.unsealed' | 'members.unlisted'; error: Reason }
      | { type: 'records.sealed'; value: Seal }
      | { type: 'members.listed'; value: { members: readonly MemberView[] } }
      | { type: 'member.changed'; change: MemberChange }
      | { type: 'boot.raised'; boot: number }
      | { type: 'digest.heard'; digest: RecordDigest; from: NodeId; address: MemberAddress }
      | { type: 'peers.compared'; value: unknown }
      | { type: 'records.pulled'; id: string; value: unknown }
      | { type: 'records.judged'; id: string; value: SignedHead }
      | { type: 'records.unpulled' | 'records.unjudged'; id: string; error: Reason }
      | { type: 'pull.due'; node: NodeId }
      | { type: 'machine.unmeasured' | 'peers.uncompared' | 'compare.due' | 'digest.told' | 'digest.untold' }
      | { type: 'records.pull' | 'records.compare'; body: unknown }
      | { type: 'records.report' }
    );
    input: ObservedInput;
    tags: 'ready';
  },
  guards: guarding<ObservedValue, typeof guards>(guards),
  delays: {
    begin: limits.recordsBeginMs,
    gather: limits.recordsGatherMs,
    retry: limits.retryMs,
    measure: limits.resourcesMs,
    compare: limits.recordsCompareMs,
  },
  actions: { perform, ...deciding<ObservedValue, typeof steps>(steps) },
}).createMachine({
  id: 'observed',
  context: ({ input }) => freshObserved(input),
  tags: 'ready',
  type: 'parallel',
  entry: 'begin',
  on: {
    'observed.changed': { actions: 'note' },
    'member.changed': { actions: 'changed' },
    'boot.raised': { actions: 'raised' },
    'digest.heard': { actions: 'told' },
    'records.pulled': { actions: 'pulled' },
    'records.unpulled': { actions: 'unpulled' },
    'records.judged': { actions: 'judged' },
    'records.unjudged': { actions: 'unjudged' },
    'pull.due': { actions: 'retry' },
    'records.pull': { actions: 'give' },
    'records.compare': { actions: 'say' },
    'records.report': { actions: 'report' },
    'runtime.described': { actions: 'described' },
    'runtime.silent': { actions: 'silent' },
    'digest.told': {},
    'digest.untold': {},
  },
  states: {
    own: {
      initial: 'beginning',
      states: {
        beginning: { always: { guard: 'isComplete', target: 'settled' }, after: { begin: 'settled' } },
        settled: { always: { guard: 'differs', target: 'gathering' } },
        gathering: { after: { gather: 'signing' } },
        signing: {
          entry: 'seal',
          always: { guard: 'isSigned', target: 'settled' },
          on: {
            'records.sealed': { target: 'settled', actions: 'sealed' },
            'records.unsealed': { target: 'signingSoon', actions: 'unsealed' },
          },
        },
        signingSoon: { after: { retry: 'signing' } },
      },
    },
    machine: {
      initial: 'measuring',
      states: {
        measuring: {
          entry: 'measure',
          on: {
            'machine.measured': { target: 'resting', actions: 'measured' },
            'machine.unmeasured': 'resting',
          },
        },
        resting: { after: { measure: 'measuring' } },
      },
    },
    peers: {
      initial: 'meeting',
      states: {
        meeting: {
          entry: 'meet',
          on: {
            'members.listed': { target: 'comparing', actions: 'met' },
            'members.unlisted': 'apart',
            'compare.due': { actions: 'postpone' },
          },
        },
        comparing: {
          entry: 'compare',
          always: { guard: 'isAlone', target: 'apart' },
          on: {
            'peers.compared': { target: 'apart', actions: 'compared' },
            'peers.uncompared': { target: 'apart', actions: 'uncompared' },
            'compare.due': { actions: 'postpone' },
          },
        },
        apart: { after: { compare: 'meeting' }, on: { 'compare.due': 'comparing' } },
      },
    },
  },
});
