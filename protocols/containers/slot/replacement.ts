/**
 * What serves is not taken down before the image of what follows it is there: a new placement of a serving slot waits,
 * shown with its pull or with what the pull fails of, while the present one stays the assignment in every respect.
 */
import type { Assignment } from '../../apps/model.ts';
import { drive, emit, schedule, send, type Decision, type Effect } from '../../effects.ts';
import type { Reason } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { slotPath } from '../../wire/paths.ts';
import { imageWish, lookAtPull, pullReason } from '../making/pulling.ts';
import type { ImageInfo, PullProgress } from '../model.ts';
import { backoffMs } from '../restart.ts';
import type { SlotEventOf } from './events.ts';
import { record, type RunRecord, type SlotValue } from './value.ts';

/** A placement that waits for its image. */
export interface Replacement {
  readonly assignment: Assignment;
  /** In a row. */
  readonly failures: number;
  /** How far the pull is, or why it fails. */
  readonly reason?: Reason;
  /** It was seen to be pulled. */
  readonly pulled?: true;
  /** The image is there. */
  readonly here?: true;
}

type Step = (value: SlotValue) => Decision<SlotValue>;

const callId = ({ assignment }: Replacement): string => `fetch:${assignment.placement}`;

function ask(next: Replacement): readonly Effect[] {
  const call = { port: 'images', op: 'ensure', args: imageWish(next.assignment) } as const;
  const answers = { done: 'image.fetched', failed: 'image.unfetched' };
  return [drive(callId(next), call, answers, limits.imagePullMs), lookLater];
}

const lookLater = schedule('fetch.look', limits.imageProgressMs, { type: 'fetch.look' });

const stillness = (next: Replacement): readonly Effect[] => [
  { do: 'cancel', token: callId(next) },
  ...['fetch', 'fetch.look'].map((token) => ({ do: 'cancel', token }) as const),
];

/** The journal holds both: a daemon that starts anew goes on serving, and waiting. */
const fetchImage = (value: SlotValue, event: SlotEventOf<'slot.assigned'>): Decision<SlotValue> => {
  const { next: before, assignment: serves, record: held } = value;
  const { assignment } = event;
  if (before && before.assignment.placement > assignment.placement) return [value, []];
  // News of the same one.
  if (before?.assignment.placement === assignment.placement)
    return [{ ...value, next: { ...before, assignment } }, []];
  const next: Replacement = { assignment, failures: 0 };
  const begun: readonly Effect[] = [...(before ? stillness(before) : []), ...ask(next)];
  if (!held || !serves) return [{ ...value, next }, begun];
  const [noted, effects] = record({ ...value, next }, { ...held, serves }, 'run.noted');
  return [noted, [...effects, ...begun]];
};

/** Told to itself once more: whatever the slot is doing by now does what it does with a new placement. */
const takeFetched = (
  value: SlotValue,
  event: { readonly id: string; readonly value: ImageInfo },
): Decision<SlotValue> => {
  const { next, slot } = value;
  if (!next || event.id !== callId(next)) return [value, []];
  const { name, digest } = event.value;
  const told = next.pulled ? [emit('image.pulled', name, `${name} is pulled: ${digest}`)] : [];
  const { reason: _, ...rest } = next;
  const again = send(slotPath(slot), { type: 'slot.assigned', assignment: next.assignment });
  return [{ ...value, next: { ...rest, here: true } }, [...stillness(next), ...told, again]];
};

const noteUnfetched = (
  value: SlotValue,
  event: { readonly id: string; readonly error: Reason },
): Decision<SlotValue> => {
  const { next, slot } = value;
  if (!next || event.id !== callId(next)) return [value, []];
  const failures = next.failures + 1;
  const { code, message } = event.error;
  const isNews = next.failures === 0 || next.reason?.code !== code;
  const told = isNews ? [emit('image.unfetched', slot, `${slot} serves on: ${message}`, event.error)] : [];
  const delayMs = Math.min(backoffMs(failures), 5 * limits.retryMs);
  return [
    { ...value, next: { ...next, failures, reason: event.error } },
    [...told, { do: 'cancel', token: 'fetch.look' }, schedule('fetch', delayMs, { type: 'fetch.due' }, 0.2)],
  ];
};

const fetchAgain: Step = (value) => [value, value.next && !value.next.here ? ask(value.next) : []];

const lookAtFetch: Step = (value) =>
  value.next ? [value, [...lookAtPull(value)[1].map(asFetch), lookLater]] : [value, []];

const asFetch = (effect: Effect): Effect =>
  effect.do === 'drive' ? { ...effect, done: 'fetch.listed', failed: 'fetch.unlisted' } : effect;

/** A failure stays what is shown until the pull that is tried again has come to something. */
const noteFetch = (
  value: SlotValue,
  event: { readonly value: { readonly pulls: readonly PullProgress[] } },
): Decision<SlotValue> => {
  const { next } = value;
  const because = next && !next.here ? pullReason(next.assignment.spec.image, event.value.pulls) : undefined;
  if (!next || !because) return [value, []];
  return [{ ...value, next: { ...next, reason: because, pulled: true } }, []];
};

const dropNext: Step = (value) => {
  const { next, ...rest } = value;
  return next ? [rest, stillness(next)] : [value, []];
};

/** What an earlier life let wait: the assignment that serves is the present one again. */
export function recoverNext(
  assignment: Assignment | undefined,
  held: RunRecord | undefined,
): Pick<SlotValue, 'assignment' | 'next'> | undefined {
  const serves = held?.serves;
  if (!assignment || !serves || serves.placement !== held.placement || held.stop) return undefined;
  if (assignment.placement <= serves.placement) return undefined;
  return { assignment: serves, next: { assignment, failures: 0 } };
}

export const replacementSteps = {
  fetchImage,
  takeFetched,
  noteUnfetched,
  fetchAgain,
  lookAtFetch,
  noteFetch,
  dropNext,
};

export const replacementGuards = {
  /** A newer placement whose image is not known to be there. */
  awaitsImage: ({ assignment, next }: SlotValue, event: SlotEventOf<'slot.assigned'>) => {
    const { placement } = event.assignment;
    if (!assignment || placement <= assignment.placement) return false;
    return !(next?.here && next.assignment.placement === placement);
  },
};
