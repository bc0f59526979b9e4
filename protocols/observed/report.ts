/** What the observed actor answers: every node it knows of, with what that node said of itself and how old that is. */
import type { SlotStatus } from '../apps/status.ts';
import type { Condition, MemberAddress, MemberStatus, NodeId } from '../membership/model.ts';
import { at, type Book } from './book.ts';
import type { SetVersion } from './digest.ts';
import type { EndpointRecord } from './endpoints.ts';
import type { HeldSet, NodeFacts, NodeResources } from './model.ts';
import type { Counts, Pulling } from './pulling.ts';
import { containersIn, endpointsIn, factsIn, resourcesIn } from './read.ts';

export interface ObservedNode {
  readonly id: NodeId;
  readonly name: string;
  readonly self: boolean;
  readonly status: MemberStatus;
  /** As it says itself. */
  readonly condition: Condition;
  readonly vouchedUntil?: number;
  readonly since?: number;
  readonly address?: MemberAddress;
  /** None of a node whose records have not come yet. */
  readonly records?: ObservedRecords;
}

export interface ObservedRecords {
  readonly version: SetVersion;
  /** When the node signed them, on its own clock. */
  readonly signedAt: number;
  /** When they were last known to be its newest, on this node's clock; and since when newer ones are told of. */
  readonly confirmedAt: number;
  readonly staleSince?: number;
  readonly facts?: NodeFacts;
  readonly resources?: NodeResources;
  readonly containers: readonly SlotStatus[];
  readonly endpoints: readonly EndpointRecord[];
}

export interface ObservedReport {
  readonly nodes: readonly ObservedNode[];
  readonly counts: Counts;
  readonly buried: number;
}

export function reportOf(value: Pulling & { readonly name: string }): ObservedReport {
  const own: ObservedNode = {
    id: value.self,
    name: value.name,
    self: true,
    status: 'alive',
    condition: 'ready',
    ...recordsOf(value, value.self),
  };
  const others = Object.entries(value.members).map(([id, member]): ObservedNode => ({
    id,
    self: false,
    ...member,
    ...recordsOf(value, id),
  }));
  const shown = others.filter(
    ({ id, status, records }) => status !== 'left' && (records || !at(value.buried, id)),
  );
  return { nodes: [own, ...shown], counts: value.counts, buried: Object.keys(value.buried).length };
}

function recordsOf({ held }: Book, id: NodeId): Pick<ObservedNode, 'records'> {
  const set = at(held, id);
  return set ? { records: shownOf(set) } : {};
}

function shownOf({ boot, sequence, signedAt, confirmedAt, staleSince, records }: HeldSet): ObservedRecords {
  const [facts, resources] = [factsIn(records), resourcesIn(records)];
  return {
    version: { boot, sequence },
    signedAt,
    confirmedAt,
    ...(staleSince === undefined ? {} : { staleSince }),
    ...(facts ? { facts } : {}),
    ...(resources ? { resources } : {}),
    containers: containersIn(records),
    endpoints: endpointsIn(records),
  };
}
/**
 * As of when what is shown of a node was so: the newest moment at which it, or membership, was heard of it with nothing
 * newer told. A node that changes something says so within seconds of gossip.
 */
export function observedAt(
  { status }: Pick<ObservedNode, 'status'>,
  { confirmedAt, staleSince }: Pick<ObservedRecords, 'confirmedAt' | 'staleSince'>,
  heardAt = 0,
): number {
  if (staleSince !== undefined) return Math.min(staleSince, Math.max(confirmedAt, heardAt));
  return status === 'alive' ? Math.max(confirmedAt, heardAt) : confirmedAt;
}
