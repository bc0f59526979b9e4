/** The other nodes: who they are, what they tell of, what is pulled from them, and whether all have the same. */
import { drive, emit, schedule, type Decision, type Effect } from '../../effects.ts';
import { reason, type Reason } from '../../errors.ts';
import { hashText } from '../../hash.ts';
import { limits } from '../../limits.ts';
import { isLiving, type MemberAddress, type NodeId } from '../../membership/model.ts';
import type { MemberChange, MemberView } from '../../membership/views/view.ts';
import type { Peer } from '../../wire/calls.ts';
import { at, digestsOf, judge, withHeld, withMember, withMembers, withWord } from '../book.ts';
import { compareVersions, digestOf, type RecordDigest } from '../digest.ts';
import type { HeldSet, SignedHead } from '../model.ts';
import {
  counted,
  heard,
  missed,
  pieced,
  retried,
  satisfied,
  started,
  without,
  type Pull,
} from '../pulling.ts';
import { faultOf } from '../read.ts';
import { packCompare, unpackComparison, unpackPiece } from '../wire.ts';
import { outdoing, tell } from './own.ts';
import type { ObservedValue } from './value.ts';

type Value = ObservedValue;

const meet = (value: Value): Decision<Value> => [
  value,
  [
    drive(
      'members',
      { port: 'peers', op: 'members', args: {} },
      { done: 'members.listed', failed: 'members.unlisted' },
      limits.runtimeCallMs,
    ),
  ],
];

const met = (
  value: Value,
  event: { value: { members: readonly MemberView[] }; at: number },
): Decision<Value> => {
  const next = withMembers(value, event.value.members, event.at);
  const warned = Object.fromEntries(
    Object.entries(next.warned).filter(([, last]) => event.at - last < limits.recordsWarnMs),
  );
  return started({ ...next, warned });
};

/** Who came, or came back, is compared with soon. */
const changed = (value: Value, event: { change: MemberChange; at: number }): Decision<Value> => {
  const { what, member, before } = event.change;
  const next = withMember(value, member, event.at);
  const back = what === 'joined' || what === 'restarted' || (what === 'recovered' && before === 'dead');
  if (!back || member.status !== 'alive' || member.self) return [next, []];
  const meeting = [member.id, ...next.meet.filter((id) => id !== member.id)].slice(0, limits.recordsPulls);
  return [{ ...next, meet: meeting }, [compareSoon()]];
};

const compareSoon = (): Effect =>
  schedule('compare', limits.recordsReunionMs, { type: 'compare.due' }, limits.backoffJitter);

/** Asked to compare while a comparison is under way. */
const postpone = (value: Value): Decision<Value> => [value, [compareSoon()]];

const compare = (value: Value): Decision<Value> => {
  const to = partner(value);
  if (!to) return [value, []];
  const body = packCompare(digestsOf(value));
  const args = { to, type: 'records.compare', body, timeoutMs: limits.recordsPullMs } as const;
  const meeting = value.meet.filter((id) => id !== to.id);
  return [
    { ...value, meet: meeting, comparing: to.id, rounds: value.rounds + 1 },
    [
      drive(
        'compare',
        { port: 'peers', op: 'ask', args },
        { done: 'peers.compared', failed: 'peers.uncompared' },
        limits.recordsPullMs,
      ),
    ],
  ];
};

const livingOf = ({ members }: Value): readonly NodeId[] =>
  Object.keys(members).filter((id) => isLiving(members[id]!));

/** Who waits to be met; else one after the other, each node from another beginning. */
function partner(value: Value): Peer | undefined {
  const { self, members, meet: waiting, rounds } = value;
  const living = livingOf(value).toSorted();
  const first = waiting.find((id) => living.includes(id));
  const turn = (Number.parseInt(hashText(self).slice(0, 8), 16) + rounds) % Math.max(1, living.length);
  const id = first ?? living[turn];
  return id === undefined ? undefined : { id, address: members[id]!.address };
}

const compared = (value: Value, event: { value: unknown; at: number }): Decision<Value> => {
  const { comparing, ...before } = value;
  const rest = { ...before, unmet: 0 };
  const address = comparing === undefined ? undefined : at(value.members, comparing)?.address;
  if (comparing === undefined || !address) return [rest, []];
  const comparison = unpackComparison(event.value);
  if (!comparison) return refuse(rest, { id: comparing, address }, 'its comparison is not in form', event.at);
  const told = [...(comparison.own ? [comparison.own] : []), ...comparison.others];
  const effects: Effect[] = [];
  let next: Value = rest;
  for (const digest of told) {
    const [after, asked] = heard(next, digest, { id: comparing, address }, event.at);
    next = after;
    effects.push(...asked);
  }
  return [next, next.meet.length > 0 ? [...effects, compareSoon()] : effects];
};

/** The next one may be reached: what gossip lost is not missed for one that is not. Once round, and then at the usual time. */
const uncompared = (value: Value): Decision<Value> => {
  const { comparing: _, ...rest } = value;
  const unmet = rest.unmet + 1;
  const isOver = rest.meet.length === 0 && unmet >= livingOf(rest).length;
  return isOver ? [{ ...rest, unmet: 0 }, []] : [{ ...rest, unmet }, [compareSoon()]];
};

const told = (
  value: Value,
  event: { digest: RecordDigest; from: NodeId; address: MemberAddress; at: number },
): Decision<Value> => heard(value, event.digest, { id: event.from, address: event.address }, event.at);

const pulled = (value: Value, event: { id: string; value: unknown; at: number }): Decision<Value> => {
  const pull = at(value.pulls, event.id);
  if (!pull) return [value, []];
  const piece = unpackPiece(event.value);
  if (piece && piece !== 'none') return pieced(value, event.id, piece);
  const rest = { ...value, pulls: without(value.pulls, event.id) };
  if (piece === 'none') return missed(rest, pull, 'none');
  return forged(rest, pull, 'what it answered is not in form', event.at);
};

const unpulled = (value: Value, event: { id: string }): Decision<Value> => {
  const pull = at(value.pulls, event.id);
  return pull ? missed({ ...value, pulls: without(value.pulls, event.id) }, pull, 'failed') : [value, []];
};

/** The signature is good. Whose it is, and how new, was not known before. */
const judged = (value: Value, event: { id: string; value: SignedHead; at: number }): Decision<Value> => {
  const pull = at(value.pulls, event.id);
  if (!pull?.last) return [value, []];
  const rest = { ...value, pulls: without(value.pulls, event.id) };
  const signed = event.value;
  if (signed.id !== pull.id) return forged(rest, pull, `it is signed by ${signed.name}`, event.at);
  const verdict = judge(rest, digestOf(pull.id, signed));
  if (verdict === 'own') return outdo(rest, signed);
  if (verdict === 'known') return missed(rest, pull, 'old');
  // Gone meanwhile.
  if (verdict !== 'newer') return started({ ...rest, wanted: without(rest.wanted, pull.id) });
  const known = at(rest.held, pull.id)?.records ?? {};
  const fault = faultOf(pull.content.records, signed.name, known);
  if (fault !== undefined) return forged(rest, pull, fault, event.at);
  const set = takenSet(pull, signed, event.at);
  const taken = satisfied(counted(withHeld(rest, pull.id, set), 'taken'), pull.id, set);
  const next = at(taken.wanted, pull.id) ? withWord(taken, pull.id, { staleSince: event.at }) : taken;
  // Told on only now that it is here: whoever hears of it can have it from this node.
  const [after, effects] = started(next);
  return [after, [tell(digestOf(pull.id, set)), ...effects]];
};

function takenSet({ content, begun, last }: Pull, signed: SignedHead, now: number): HeldSet {
  const { boot, sequence, hash, name, at: signedAt } = signed;
  const whole = begun?.whole ?? true;
  return {
    boot,
    sequence,
    hash,
    name,
    signedAt,
    head: last!.head,
    confirmedAt: now,
    records: content.records,
    // Of what is gone before its beginning, a whole set says nothing.
    ...(whole ? { gone: [], floor: sequence } : { gone: content.gone, floor: content.floor }),
  };
}

/** Its own signature under a set that it does not know: the actor began anew, or the journal was damaged. */
function outdo(value: Value, { boot, sequence }: SignedHead): Decision<Value> {
  const newer = compareVersions({ boot, sequence }, value) > 0;
  // One number is left out when it is of the same: the next set must be another than both.
  const version = newer ? { boot, sequence } : { boot: value.boot, sequence: value.sequence + 1 };
  return started(
    counted({ ...outdoing(value, version), wanted: without(value.wanted, value.self) }, 'outdone'),
  );
}

const unjudged = (value: Value, event: { id: string; error: Reason; at: number }): Decision<Value> => {
  const pull = at(value.pulls, event.id);
  if (!pull) return [value, []];
  const rest = { ...value, pulls: without(value.pulls, event.id) };
  if (event.error.code !== 'HM-RECORDS-FORGED') return missed(rest, pull, 'failed');
  // A node whose journal was set back has told two things under one version: no difference leads from one to the other.
  if (!pull.begun?.whole) return missed(rest, pull, 'differs');
  return forged(rest, pull, event.error.message, event.at);
};

function forged(value: Value, pull: Pull, why: string, now: number): Decision<Value> {
  const [warned, warning] = refuse(value, pull.from, why, now, pull.id);
  const [next, effects] = missed(warned, pull, 'forged');
  return [next, [...warning, ...effects]];
}

/** Told once a while and peer; counted always. */
function refuse(value: Value, from: Peer, why: string, now: number, of: NodeId = from.id): Decision<Value> {
  const last = at(value.warned, from.id);
  if (last !== undefined && now - last < limits.recordsWarnMs) return [value, []];
  const [peer, node] = [from.id, of].map((id) => at(value.members, id)?.name ?? id);
  const because = reason('HM-RECORDS-FORGED', `Records of ${node} from ${peer} are refused: ${why}`, {
    node: node!,
    peer: peer!,
  });
  return [
    { ...value, warned: { ...value.warned, [from.id]: now } },
    [emit('records.refused', node!, because.message, because)],
  ];
}

const retry = (value: Value, event: { node: NodeId }): Decision<Value> => retried(value, event.node);

export const peerSteps = {
  meet,
  met,
  changed,
  postpone,
  compare,
  compared,
  uncompared,
  told,
  pulled,
  unpulled,
  judged,
  unjudged,
  retry,
};

export const peerGuards = {
  isAlone: (value: Value) => value.comparing === undefined,
};
