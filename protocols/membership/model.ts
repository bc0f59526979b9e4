/**
 * What the membership protocol speaks of. A *claim* is a statement about one member; a member's status is the greatest
 * claim that anybody made about it (see `claims/precedence.ts`), so the order in which claims arrive does not matter.
 */

/** A node's identity: the fingerprint of its key. It never moves to another machine; a name may. */
export type NodeId = string;

/** Which life of a member, and which word of it: only the member itself raises either. */
export interface Incarnation {
  /** Of the daemon, from its journal: grows with every start. */
  readonly boot: number;
  /** Within the boot, from 0: raised by each refutation and each change of what the member says of itself. */
  readonly counter: number;
}

export type MemberStatus = 'alive' | 'suspected' | 'dead' | 'left';

/** It may answer: who is suspected has not been given up. */
export const isLiving = ({ status }: { readonly status: MemberStatus }): boolean =>
  status === 'alive' || status === 'suspected';

/** Where a member's cluster port is reached. */
export interface MemberAddress {
  readonly host: string;
  readonly port: number;
}

/** `ready` as usual · `stalled`: its main thread does not tick · `away`: it will be back within `awayMs`. */
export type Condition = 'ready' | 'stalled' | 'away';

/** What a member says of itself, under its signature. */
export interface Profile {
  readonly name: string;
  readonly address: MemberAddress;
  readonly condition: Condition;
  /** ms from hearing it on, within which nobody declares the member dead; with `away` only. */
  readonly awayMs?: number;
  /** Versions of the protocol it understands, lowest and highest. */
  readonly versions: readonly [number, number];
  /** Failure domain: helpers of an indirect probe come from others. */
  readonly zone: string;
  /** Until when the cluster's authority vouches that the name is its own, ms since 1970; nothing of this node itself. */
  readonly vouchedUntil?: number;
}

/** The member's own signed words: that it lives, or (`left`) that it went for good. */
export interface Statement {
  readonly id: NodeId;
  readonly incarnation: Incarnation;
  readonly left: boolean;
  readonly profile: Profile;
  /** The bytes as they came, credential and signature included: they are passed on as they are. */
  readonly bytes: Uint8Array;
}

/** What others say of a member. Not signed: the ring's key vouches for it, and the member refutes what is wrong. */
export interface Accusation {
  readonly kind: 'suspected' | 'dead';
  readonly id: NodeId;
  readonly incarnation: Incarnation;
  /** Who says so: a suspicion is confirmed by others than the one who had it first. */
  readonly from: NodeId;
}

export type Claim = { readonly kind: 'stated'; readonly statement: Statement } | Accusation;

/** A member as others ask about it. Times are ms of the clock the core is given. */
export interface Member {
  readonly id: NodeId;
  readonly incarnation: Incarnation;
  readonly status: MemberStatus;
  /** Of a member that was only ever accused nothing else is known. */
  readonly profile?: Profile;
  /** When it came to this status here. */
  readonly since: number;
  /** While suspected: by whom, the first first. */
  readonly suspectedBy: readonly NodeId[];
}

/** Signs what this node says of itself and judges what others say of themselves. Keys and certificates are behind it. */
export interface Notary {
  /** Credential and signature around the body. */
  seal(body: Uint8Array): Uint8Array;
  /** For the same bytes the same object, while it is remembered. `undefined` when the signature, the credential or its term is not good. */
  open(sealed: Uint8Array): Signed | undefined;
}

/** A body and who signed it. The cluster's authority gave it that name. */
export interface Signed {
  readonly id: NodeId;
  readonly name: string;
  readonly body: Uint8Array;
  /** When what it vouches with ends, ms since 1970; a notary whose word has no end has none. */
  readonly vouchedUntil?: number;
}
