/**
 * Members as the rest of a node sees them: names, wall time, who accuses whom. The core's own terms (`model.ts`) and its
 * clock stay in the membership worker.
 */
import type { RecordDigest } from '../../observed/digest.ts';
import type { Condition, Incarnation, MemberAddress, MemberStatus, NodeId } from '../model.ts';

/** Times: ms since 1970 on this node's clock. */
export interface MemberView {
  readonly id: NodeId;
  readonly name: string;
  readonly address: MemberAddress;
  /** Failure domain; empty when none was set. */
  readonly zone: string;
  /** This node itself, always alive or left. */
  readonly self: boolean;
  readonly status: MemberStatus;
  readonly incarnation: Incarnation;
  readonly condition: Condition;
  /** Until when the cluster's authority vouches that the name is its own; nothing of this node itself. */
  readonly vouchedUntil?: number;
  /** When it came to this status here; for this node, when it started. */
  readonly since: number;
  /** While suspected: the first accuser first. */
  readonly suspectedBy: readonly Accuser[];
  readonly planes: PlanesView;
}

export interface Accuser {
  readonly id: NodeId;
  /** Its id again, where only that is known. */
  readonly name: string;
  /** When this node heard of its suspicion. */
  readonly since: number;
}

/** What this node itself finds on each plane; empty for itself, and before the first word. */
export interface PlanesView {
  readonly datagram: PlaneView;
  readonly stream: PlaneView;
}

export interface PlaneView {
  /** Last heard over it. */
  readonly heardAt?: number;
  /** Of the last direct answer. */
  readonly rttMs?: number;
  /** The last probe over it found nobody: since when. */
  readonly failingSince?: number;
  /** This node's own probes find nobody, those of others do: since when. */
  readonly indirectSince?: number;
}

/**
 * `joined`: first heard of here · `restarted`: known, and in a later boot now · `recovered`: refuted a suspicion, or its
 * death · `described`: says something new of itself (address, condition, zone).
 */
export type MemberNews = 'joined' | 'restarted' | 'suspected' | 'recovered' | 'died' | 'left' | 'described';

export interface MemberChange {
  readonly what: MemberNews;
  readonly member: MemberView;
  /** What it was before; nothing when it `joined`. */
  readonly before?: MemberStatus;
}

/** What passed as datagrams in this life of the subtree; it begins anew with each. */
export interface DatagramTraffic {
  /** By kind of packet: `ping`, `ack`, `nack`, `ping-request`, `gossip`. */
  readonly kinds: Readonly<Record<string, { readonly sent: number; readonly received: number }>>;
  /** Sealed, as they are on the way. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Not taken by the system. */
  readonly failed: number;
  /** What came and changed nothing, by why: a closed list. */
  readonly refused: Readonly<Record<string, number>>;
  /** Pieces that wait to be passed on now, and that found no room in the queue. */
  readonly news: { readonly waiting: number; readonly dropped: number };
}

/** `from` holds the records of this version: they can be pulled there. */
export interface HeardDigest {
  readonly digest: RecordDigest;
  readonly from: NodeId;
  readonly address: MemberAddress;
}

/** What makes this node's word good, and whose word it believes. */
export interface Credentials {
  /** The authority's word on this node's key. */
  readonly credential: Uint8Array;
  /** Raw public keys, 32 bytes each: two while the authority is exchanged. */
  readonly authorities: readonly Uint8Array[];
}

/** Keys of the gossip, 32 bytes each: the first for sending, all for what comes in. */
export type GossipKeys = readonly [Uint8Array, ...Uint8Array[]];
