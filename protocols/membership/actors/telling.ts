/** Changes of members as lines of the event log. */
import { emit, type EmitEffect, type NodeEvent } from '../../effects.ts';
import { reason, type Reason } from '../../errors.ts';
import type { MemberAddress, MemberStatus, NodeId } from '../model.ts';
import type { Standing } from '../views/news.ts';
import type { MemberNews, MemberView, PlaneView } from '../views/view.ts';

/** `10.0.0.1:4484`, `[fd00::1]:4484`. */
export function placeText({ host, port }: MemberAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** What a plane says of a member, in words: `answers (1.2 ms)`, `silent for 4.0 s`, `never heard`. */
export function planeText({ heardAt, rttMs, failingSince }: PlaneView, now: number): string {
  if (heardAt === undefined) return failingSince === undefined ? 'not tried yet' : 'never heard';
  const silence = `${(Math.max(0, now - heardAt) / 1_000).toFixed(1)} s`;
  if (failingSince !== undefined) return `silent for ${silence}`;
  return `heard ${silence} ago${rttMs === undefined ? '' : `, round trip ${rttMs.toFixed(1)} ms`}`;
}

function because(news: MemberNews, view: MemberView, at: number): Reason | undefined {
  if (news !== 'suspected' && news !== 'died') return undefined;
  const { name, address, planes, suspectedBy } = view;
  const by = suspectedBy.map((accuser) => accuser.name).join(', ');
  const evidence = {
    node: name,
    address: placeText(address),
    datagrams: planeText(planes.datagram, at),
    streams: planeText(planes.stream, at),
    ...(by === '' ? {} : { suspectedBy: by }),
  };
  if (news === 'died') return reason('HM-MEMBER-DEAD', undefined, evidence);
  return reason(
    'HM-MEMBER-SUSPECTED',
    `${by} suspect${suspectedBy.length === 1 ? 's' : ''} ${name}: no answer`,
    evidence,
  );
}

function sentence(news: MemberNews, { name, address, incarnation, condition, status }: MemberView): string {
  switch (news) {
    case 'joined':
      return `${name} (${placeText(address)}) is a member${status === 'suspected' ? ', suspected by others' : ''}`;
    case 'restarted':
      return `${name} (${placeText(address)}) started anew: boot ${incarnation.boot}`;
    case 'recovered':
      return `${name} answered: it is alive`;
    case 'suspected':
      return `${name} is suspected`;
    case 'died':
      return `${name} is dead: nobody heard it`;
    case 'left':
      return `${name} left`;
    case 'described':
      return `${name} (${placeText(address)}) is ${condition}`;
  }
}

const levels: Readonly<Record<MemberNews, NodeEvent['level']>> = {
  joined: 'info',
  restarted: 'info',
  recovered: 'info',
  left: 'info',
  described: 'info',
  suspected: 'warning',
  died: 'error',
};

export function memberEvent(news: MemberNews, view: MemberView, at: number): EmitEffect {
  const why = because(news, view, at);
  const { event } = emit(
    `member.${news}`,
    view.name,
    why?.message ?? sentence(news, view),
    why,
    levels[news],
  );
  const details = {
    id: view.id,
    address: placeText(view.address),
    boot: view.incarnation.boot,
    ...why?.evidence,
  };
  return {
    do: 'emit',
    event: { ...event, message: news === 'died' ? sentence(news, view) : event.message, details },
  };
}

const standings: Readonly<Record<string, MemberStatus>> = {
  'member.suspected': 'suspected',
  'member.died': 'dead',
  'member.left': 'left',
};

/** The other way: what an event of a member says of its standing. */
export function toldBy({
  type,
  details,
}: NodeEvent): { readonly id: NodeId; readonly standing: Standing } | undefined {
  const { id, boot } = details ?? {};
  if (!type.startsWith('member.') || typeof id !== 'string' || typeof boot !== 'number') return undefined;
  return { id, standing: { status: standings[type] ?? 'alive', boot } };
}
