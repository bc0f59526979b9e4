/** What the store knows of the cluster itself: who it is, its nodes by name, the keys of its gossip. */
import { limits } from '../limits.ts';
import type { MemberAddress, MemberStatus, NodeId } from '../membership/model.ts';
import type { NodeRole } from '../wire/catalogue.ts';

/** Under `keys.cluster`, written once, by the first node. */
export interface ClusterRecord {
  /** Stands in every certificate and is bound into every datagram. */
  readonly label: string;
  /** The authority's certificate, PEM. Its key stands sealed under `authorityKey`. */
  readonly authority: string;
  /** ms since 1970. */
  readonly createdAt: number;
}

/** Where the sealed key of the authority stands. */
export const authorityKey = { name: 'cluster/authority', version: '1' } as const;

/**
 * Whose a name is, under `keys.member(name)`. The first writer has the name; who takes it over replaces the row by
 * compare-and-set, and the one before is served no more.
 */
export interface MemberRecord {
  readonly name: string;
  readonly id: NodeId;
  readonly role: NodeRole;
  readonly address: MemberAddress;
  readonly zone: string;
  readonly labels: Readonly<Record<string, string>>;
  /** ms since 1970. */
  readonly joinedAt: number;
  /** End of the newest certificate. */
  readonly notAfter: number;
}

/**
 * The gossip's keys by name, under `keys.gossipRing`; the first is used for sending. Their secrets stand sealed under
 * `gossipKey(name)`.
 */
export interface GossipRing {
  readonly keys: readonly string[];
  /** Of an exchange under way: the second key is understood, or it is used already and stands first. */
  readonly step?: 'added' | 'used';
  /** ms since 1970. */
  readonly changedAt: number;
}

/** Where the sealed secret of a gossip key stands. */
export const gossipKey = (name: string) => ({ name: 'cluster/gossip', version: name }) as const;

/**
 * May the identity have the name? Not while another one has it that may still live: `gone` judges whose it is; without
 * a valid certificate nobody lives either.
 */
export function mayTakeName(
  row: MemberRecord | undefined,
  id: NodeId,
  { now, gone }: { readonly now: number; readonly gone: (other: MemberRecord) => boolean },
): boolean {
  return row === undefined || row.id === id || row.notAfter <= now || gone(row);
}

/**
 * Whether a node is gone, by what the membership says of it. One that it knows nothing of joined and never came, or was
 * away since before this server's start: it is gone as well once it had the time to be heard. `listeningMs`: for how long
 * the server has heard.
 */
export function isGone(
  status: MemberStatus | undefined,
  { joinedAt }: Pick<MemberRecord, 'joinedAt'>,
  { now, listeningMs }: { readonly now: number; readonly listeningMs: number },
): boolean {
  if (status !== undefined) return status === 'dead' || status === 'left';
  return Math.min(now - joinedAt, listeningMs) >= limits.unheardMs;
}
