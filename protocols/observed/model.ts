/**
 * What a node says of itself to all others, and what is kept of what others say. One writer each: a node's records are
 * signed by it, and only it raises their version. Read next: `record-set.ts` (one node's records), `book.ts` (those of
 * all), `pulling.ts` (who is asked for what), `steps/` (the actor).
 */
import type { Capacity } from '../apps/capacity.ts';
import type { RuntimeInfo } from '../containers/model.ts';
import type { Reason } from '../errors.ts';
import type { Condition, MemberAddress, MemberStatus, NodeId } from '../membership/model.ts';
import type { NodeRole } from '../wire/catalogue.ts';
import type { SetVersion } from './digest.ts';

/** The machine under a node, as the kernel tells of it. */
export interface MachineFacts {
  readonly hostname: string;
  readonly os: string;
  readonly kernel: string;
  readonly architecture: string;
  readonly cpus: number;
  /** Runnable processes over the last minute. */
  readonly load: number;
  readonly memoryBytes: number;
  /** What new work could have without swapping. */
  readonly memoryFreeBytes: number;
  /** Of the disk with the data folder. */
  readonly diskBytes: number;
  readonly diskFreeBytes: number;
  readonly labels: Readonly<Record<string, string>>;
}

export type RuntimeFacts = Omit<RuntimeInfo, 'cdi'>;

/** What hardly ever changes. The node's name is not among it: the cluster's authority gave it. */
export interface NodeFacts extends Pick<
  MachineFacts,
  'hostname' | 'os' | 'kernel' | 'architecture' | 'cpus' | 'labels'
> {
  readonly role: NodeRole;
  readonly version: string;
  readonly startedAt: number;
  /** Where its API listens besides the socket: mostly an address of its machine alone, as 127.0.0.1:4483. */
  readonly apiAddress?: string;
  /** Absent while the runtime does not answer; then there is a reason. */
  readonly runtime?: RuntimeFacts;
  readonly reason?: Reason;
}

/** What there is and what is taken; `reserved` by the slots that the node holds. */
export interface NodeResources {
  /** ms since 1970, on the node's own clock. */
  readonly measuredAt: number;
  readonly load: number;
  readonly memoryBytes: number;
  readonly memoryUsedBytes: number;
  readonly diskBytes: number;
  readonly diskUsedBytes: number;
  readonly reserved: Capacity;
}

/**
 * `facts`, `resources`; `container/SLOT` for each slot that the node holds, `endpoint/SLOT` where it has one. Others may
 * come: `KIND/NAME`.
 */
export type RecordKey = string;

export interface RecordEntry {
  /** Of the set in which it became what it is. */
  readonly sequence: number;
  readonly value: unknown;
}

export type Records = Readonly<Record<RecordKey, RecordEntry>>;

export interface GoneRecord {
  readonly key: RecordKey;
  readonly sequence: number;
}

/** Records as the node's signature covers them, and what is needed to say what changed since an earlier version. */
export interface RecordSet extends SetVersion {
  readonly records: Records;
  /** The newest of those that are no more. */
  readonly gone: readonly GoneRecord[];
  /** What changed since an older version than this cannot be told. */
  readonly floor: number;
  /** SHA-256 of all records, hexadecimal. */
  readonly hash: string;
  /** Version and hash under the owner's signature. */
  readonly head: Uint8Array;
  /** When the owner signed it, on its own clock. */
  readonly signedAt: number;
}

/** What a signature vouches for. */
export interface SignedHead extends SetVersion {
  readonly id: NodeId;
  readonly name: string;
  readonly hash: string;
  readonly at: number;
}

/** Another node's records, verified. Times are ms since 1970 on this node's clock. */
export interface HeldSet extends RecordSet {
  readonly name: string;
  /** When this version was last known to be the newest: it came, or its owner said that it stands. */
  readonly confirmedAt: number;
  /** When a newer one was first told of that has not come so far. */
  readonly staleSince?: number;
}

/** A member as membership sees it now. */
export interface KnownMember {
  readonly name: string;
  readonly address: MemberAddress;
  readonly status: MemberStatus;
  /** As it says itself. */
  readonly condition: Condition;
  readonly vouchedUntil?: number;
  readonly since: number;
}

/** In place of the records of a node that is gone: nothing up to this version is taken any more. */
export interface Tombstone extends SetVersion {
  readonly name: string;
  readonly why: 'left' | 'dead';
  readonly at: number;
}
