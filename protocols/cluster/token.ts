/**
 * Join tokens: `hm1.<fingerprint of the authority>.<id>.<secret>`. The fingerprint lets the joiner know the cluster before
 * it says the secret; the store keeps a hash of the secret, until when, and for how many nodes.
 */
import { coded, reason, type CodedError, type Reason } from '../errors.ts';
import type { NodeId } from '../membership/model.ts';

export interface JoinToken {
  /** SHA-256 of the authority's certificate, base64url. */
  readonly fingerprint: string;
  /** 16 hexadecimal digits: names the token where it is listed. */
  readonly id: string;
  /** 256 bits of chance, hexadecimal. */
  readonly secret: string;
}

/** In the store under `keys.joinToken(id)`. */
export interface JoinTokenRecord {
  readonly id: string;
  /** SHA-256 of the secret, hexadecimal: with so much chance in it there is nothing to guess. */
  readonly hash: string;
  /** ms since 1970. */
  readonly createdAt: number;
  readonly expiresAt: number;
  /** How many nodes may join with it. */
  readonly uses: number;
  /** Those that did: one that asks again, because the answer was lost, takes no second use. */
  readonly usedBy: readonly NodeId[];
}

/** What may be shown of one. */
export interface JoinTokenView {
  readonly id: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly expired: boolean;
  readonly uses: number;
  readonly used: number;
}

const shape = /^hm1\.([\w-]{43})\.([0-9a-f]{16})\.([0-9a-f]{64})$/;

export function formatJoinToken({ fingerprint, id, secret }: JoinToken): string {
  return `hm1.${fingerprint}.${id}.${secret}`;
}

/** Throws HM-CLUSTER-TOKEN, without a word of the text. `where` it was read from. */
export function parseJoinToken(text: string, where: string): JoinToken {
  const [, fingerprint, id, secret] = shape.exec(text.trim()) ?? [];
  if (fingerprint === undefined || id === undefined || secret === undefined)
    throw coded('HM-CLUSTER-TOKEN', `what stands in ${where} is not a join token: hm1.….….…`, { where });
  return { fingerprint, id, secret };
}

/** The first that stands against this node's use of the token; whether its secret was right is known already. */
export function tokenReason(record: JoinTokenRecord, node: NodeId, now: number): Reason | undefined {
  const { id, expiresAt, uses, usedBy } = record;
  if (now >= expiresAt) return reason('HM-CLUSTER-TOKEN', `the join token ${id} has expired`, { token: id });
  if (usedBy.length >= uses && !usedBy.includes(node))
    return reason('HM-CLUSTER-TOKEN', `the join token ${id} has been used by ${uses} of ${uses} nodes`, {
      token: id,
      uses,
    });
  return undefined;
}

export const noJoinToken = (id: string): CodedError =>
  coded('HM-TOKEN-UNKNOWN', `There is no join token ${id}`, { token: id }, 'hivemind cluster token ls');

export function joinTokenView(record: JoinTokenRecord, now: number): JoinTokenView {
  const { id, createdAt, expiresAt, uses, usedBy } = record;
  return { id, createdAt, expiresAt, expired: now >= expiresAt, uses, used: usedBy.length };
}
