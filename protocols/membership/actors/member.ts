/**
 * What one member's actor remembers and tells: its newest view, and what the event log has heard of it. Statuses are
 * decided by the core; which may follow which says the chart.
 */
import { drive, type Decision } from '../../effects.ts';
import { limits } from '../../limits.ts';
import type { MemberStatus, NodeId } from '../model.ts';
import type { Recalled } from '../views/port.ts';
import { newsOf, standingOfView, type Standing } from '../views/news.ts';
import type { MemberView } from '../views/view.ts';
import { memberEvent } from './telling.ts';

export interface MemberInput {
  readonly id: NodeId;
}

export interface MemberValue {
  readonly id: NodeId;
  readonly view?: MemberView;
  /** What the event log heard of it last, in whichever life of this actor. */
  readonly told?: Standing;
}

interface Heard {
  readonly view: MemberView;
  readonly at: number;
}

interface Remembered {
  readonly value: Recalled;
  readonly at: number;
}

export function memberValue({ id }: MemberInput): MemberValue {
  return { id };
}

/** Takes the view in and tells what is new in it. */
function takeIn(value: MemberValue, view: MemberView, at: number): Decision<MemberValue> {
  const next = { ...value, view, told: standingOfView(view) };
  const news = newsOf(value.told, standingOfView(view));
  // First heard of when it was gone already: that is no news.
  const late = value.told === undefined && (view.status === 'dead' || view.status === 'left');
  if (news !== undefined) return [next, late ? [] : [memberEvent(news, view, at)]];
  const changed = value.view !== undefined && value.view.condition !== view.condition;
  return [next, changed ? [memberEvent('described', view, at)] : []];
}

const heard = (value: MemberValue, { view, at }: Heard): Decision<MemberValue> => takeIn(value, view, at);

export const memberSteps = {
  recall: (value: MemberValue): Decision<MemberValue> => [
    value,
    [
      drive(
        'recall',
        { port: 'roster', op: 'recall', args: { id: value.id } },
        { done: 'member.recalled', failed: 'recall.failed' },
        limits.askTimeoutMs,
      ),
    ],
  ],
  /** A life of this actor begins: what earlier ones told is not told again. */
  resume: (value: MemberValue, { value: { view, told }, at }: Remembered): Decision<MemberValue> =>
    view ? takeIn(told ? { ...value, told } : value, view, at) : [value, []],
  heard,
};

const becomes =
  (status: MemberStatus) =>
  (_: MemberValue, event: Heard | Remembered): boolean =>
    ('view' in event ? event.view : event.value.view)?.status === status;

export const memberGuards = {
  lives: becomes('alive'),
  isSuspected: becomes('suspected'),
  isDead: becomes('dead'),
  hasLeft: becomes('left'),
};
