/**
 * Asks members over streams whether they are there: now and then each by turns, so that both planes are probed and shown
 * also while datagrams do all the work; and at once whom the core could not reach by a datagram. Datagrams themselves are
 * the core's.
 */
import { drive, schedule, type Decision, type Effect } from '../../effects.ts';
import { limits } from '../../limits.ts';
import type { NodeId } from '../model.ts';
import type { Roster, RosterEntry } from '../views/port.ts';

/** Members asked at once: of a cluster of which half is silent, a fair share. */
const mostAsked = 32;

export interface ProberInput {
  /** Between two rounds, ms: one member is asked in each. */
  readonly everyMs: number;
  /** How long an answer may take, ms. */
  readonly timeoutMs: number;
}

export interface ProberValue extends ProberInput {
  /** Asked, without an answer so far. */
  readonly asking: readonly NodeId[];
}

export function proberValue({ everyMs, timeoutMs }: ProberInput): ProberValue {
  return { everyMs, timeoutMs, asking: [] };
}

function ask(value: ProberValue, id: NodeId): Decision<ProberValue> {
  const { asking, timeoutMs } = value;
  if (asking.includes(id) || asking.length >= mostAsked) return [value, []];
  const answer = { done: 'ask.answered', failed: 'ask.failed' };
  return [
    { ...value, asking: [...asking, id] },
    [drive(id, { port: 'roster', op: 'ask', args: { id } }, answer, timeoutMs)],
  ];
}

const nextRound = ({ everyMs }: ProberValue): Effect =>
  schedule('round', everyMs, { type: 'round.due' }, 0.2);

/** Of the living, whoever was not heard over a stream for longest: who has a connection with us is heard anyway. */
function nextOf(members: readonly RosterEntry[]): RosterEntry | undefined {
  let next: RosterEntry | undefined;
  for (const member of members) {
    if (member.status !== 'alive' && member.status !== 'suspected') continue;
    if (!next || member.streamTriedAt < next.streamTriedAt) next = member;
  }
  return next;
}

const settle = (value: ProberValue, { id }: { readonly id: NodeId }): Decision<ProberValue> => [
  { ...value, asking: value.asking.filter((one) => one !== id) },
  [],
];

export const proberSteps = {
  begin: (value: ProberValue): Decision<ProberValue> => [value, [nextRound(value)]],
  list: (value: ProberValue): Decision<ProberValue> => [
    value,
    [
      nextRound(value),
      drive(
        'list',
        { port: 'roster', op: 'list', args: {} },
        { done: 'roster.listed', failed: 'list.failed' },
        limits.askTimeoutMs,
      ),
    ],
  ],
  askNext: (
    value: ProberValue,
    event: { readonly value: Awaited<ReturnType<Roster['list']>>; readonly at: number },
  ): Decision<ProberValue> => {
    const next = nextOf(event.value.members);
    const fresh = next !== undefined && event.at - next.streamTriedAt < value.everyMs;
    return next && !fresh ? ask(value, next.id) : [value, []];
  },
  askThis: (value: ProberValue, { member }: { readonly member: NodeId }): Decision<ProberValue> =>
    ask(value, member),
  settle,
};
