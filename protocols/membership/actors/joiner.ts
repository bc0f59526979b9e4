/**
 * What the joiner remembers and does: it gives every member that is heard of an actor of its own, and says when this node
 * finds others, loses the last of them, or finds nobody where it was told to look. The core itself tries seeds and lost
 * members for ever; what came of it is kept here.
 */
import { drive, emit, schedule, type Decision, type Effect } from '../../effects.ts';
import { reason, type Reason } from '../../errors.ts';
import { limits } from '../../limits.ts';
import type { ChildSpec } from '../../supervision/child-spec.ts';
import { paths } from '../../wire/paths.ts';
import { isLiving, type MemberAddress, type NodeId } from '../model.ts';
import type { Roster, RosterEntry } from '../views/port.ts';
import { placeText } from './telling.ts';

export interface JoinerInput {
  readonly node: string;
  readonly seeds: readonly MemberAddress[];
  /** For a member's actor, but for id and input. */
  readonly member: Omit<ChildSpec, 'id' | 'input'>;
}

/** The last try of one address. */
interface Try {
  readonly place: string;
  readonly at: number;
  /** Who is there. */
  readonly id?: NodeId;
  readonly error?: Reason;
}

export interface JoinerValue extends JoinerInput {
  /** The newest last. */
  readonly tries: readonly Try[];
}

export function joinerValue({ node, seeds, member }: JoinerInput): JoinerValue {
  return { node, seeds, member, tries: [] };
}

export type MetMember = Pick<RosterEntry, 'id' | 'name'>;

/** Child id of a member's actor: its name for people, as much of its id as tells apart two that had the name. */
export function memberChild({ id, name }: MetMember): string {
  return `${name}.${id.slice(0, 8)}`;
}

/** Asked for again, a supervisor does nothing: so nobody needs to remember who has an actor. */
function start({ member }: JoinerValue, met: MetMember): Effect {
  const spec: ChildSpec = { ...member, id: memberChild(met), input: { id: met.id } };
  return { do: 'send', to: paths.members, event: { type: 'child.start', spec } };
}

type Listed = { readonly value: Awaited<ReturnType<Roster['list']>> };
type Counted = { readonly living: number };
type Tried = {
  readonly address: MemberAddress;
  readonly at: number;
  readonly id?: NodeId;
  readonly error?: Reason;
};

const livingIn = ({ value }: Listed): number => value.members.filter(isLiving).length;

export const joinerGuards = {
  someLive: (_: JoinerValue, event: Counted) => event.living > 0,
  nobodyLives: (_: JoinerValue, event: Counted) => event.living === 0,
  someListed: (_: JoinerValue, event: Listed) => livingIn(event) > 0,
};

/** So long may finding others take before it is worth a word: seeds are tried every two seconds. */
const seekingMs = 10_000;
const seeking = 'seeking';
/** Addresses of which the last try is remembered. */
const triesKept = 32;

const list = (value: JoinerValue): Decision<JoinerValue> => [
  value,
  [
    drive(
      'list',
      { port: 'roster', op: 'list', args: {} },
      { done: 'roster.listed', failed: 'list.failed' },
      limits.askTimeoutMs,
    ),
  ],
];

export const joinerSteps = {
  list,
  startAll: (value: JoinerValue, event: Listed): Decision<JoinerValue> => [
    value,
    event.value.members.map((member) => start(value, member)),
  ],
  startOne: (value: JoinerValue, event: { readonly member: MetMember }): Decision<JoinerValue> => [
    value,
    [start(value, event.member)],
  ],
  /** Nobody to be found is no trouble for a node that was told of nobody. */
  seek: (value: JoinerValue): Decision<JoinerValue> => [
    value,
    value.seeds.length === 0 ? [] : [schedule(seeking, seekingMs, { type: 'seeking.due' })],
  ],
  noteTry: (value: JoinerValue, { address, at, id, error }: Tried): Decision<JoinerValue> => {
    const place = placeText(address);
    const others = value.tries.filter((one) => one.place !== place).slice(1 - triesKept);
    const tried: Try = { place, at, ...(id === undefined ? {} : { id }), ...(error ? { error } : {}) };
    return [{ ...value, tries: [...others, tried] }, []];
  },
  tellUnreachable: (value: JoinerValue): Decision<JoinerValue> => {
    const wanted = value.seeds.map(placeText);
    const failed = value.tries.filter(({ place, error }) => error && wanted.includes(place));
    const why = failed.map(({ place, error }) => `${place}: ${error!.message}`).join('; ');
    const because = reason('HM-MEMBERSHIP-SEEDS', undefined, {
      seeds: wanted.join(', '),
      ...(why === '' ? {} : { tries: why }),
    });
    return [value, [emit('seeds.failed', value.node, because.message, because)]];
  },
  tellJoined: (value: JoinerValue, { living }: Counted): Decision<JoinerValue> => [
    value,
    [
      { do: 'cancel', token: seeking },
      emit('membership.joined', value.node, `${living} other member${living === 1 ? ' is' : 's are'} alive`),
    ],
  ],
  tellAlone: (value: JoinerValue): Decision<JoinerValue> => [
    value,
    [emit('membership.lost', value.node, 'no other member is alive', reason('HM-MEMBERSHIP-ALONE'))],
  ],
};
