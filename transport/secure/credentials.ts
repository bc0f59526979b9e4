/**
 * A node's credential: the cluster's authority vouches that this key belongs to a node of that name, until then. It is
 * what a certificate says, in 110 bytes and a name instead of 500: it travels in every statement of a member.
 */
import { createHash, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { Fields } from '../../protocols/wire/fields.ts';
import type { NodeId } from '../../protocols/membership/model.ts';
import { decodePlain, encodePlain } from '../../protocols/wire/codec.ts';

/** A name of 63 bytes, a key, a term and a signature. */
export const credentialBytes = 256;

export interface Credential {
  readonly id: NodeId;
  readonly name: string;
  /** Ed25519. */
  readonly key: KeyObject;
  /** Seconds since 1970. */
  readonly notAfter: number;
}

/** The fingerprint of a node's key: its identity. 32 hexadecimal digits. */
export function nodeIdOf(key: KeyObject): NodeId {
  return createHash('sha256').update('hivemind node ').update(rawKey(key)).digest('hex').slice(0, 32);
}

/** The authority's word on a node's key. `label`: of the cluster; `notAfter`: seconds since 1970. */
export function issueCredential(
  authority: KeyObject,
  { label, name, key, notAfter }: { label: string; name: string; key: KeyObject; notAfter: number },
): Uint8Array {
  const words = [name, rawKey(key), notAfter] as const;
  const signature = sign(null, vouched(label, words), authority);
  return encodePlain([...words, new Uint8Array(signature)], credentialBytes);
}

/**
 * `undefined` when it is not one, when none of the `authorities` (public keys) signed it for this cluster, or when its
 * term is over.
 */
export function readCredential(
  bytes: Uint8Array,
  {
    authorities,
    label,
    nowSeconds,
  }: { authorities: readonly KeyObject[]; label: string; nowSeconds: number },
): Credential | undefined {
  const fields = Fields.of(decoded(bytes));
  const name = fields.text(63);
  const raw = fields.bytes(32);
  const notAfter = fields.natural();
  const signature = fields.bytes(64);
  if (!fields.good() || notAfter < nowSeconds) return undefined;
  const text = vouched(label, [name, raw, notAfter]);
  if (!authorities.some((authority) => verify(null, text, authority, signature))) return undefined;
  const key = publicKeyOf(raw);
  return { id: nodeIdOf(key), name, key, notAfter };
}

function vouched(label: string, words: readonly [string, Uint8Array, number]): Uint8Array {
  return encodePlain(['hivemind credential', label, ...words], 1_024);
}

function decoded(bytes: Uint8Array): unknown {
  try {
    return decodePlain(bytes, credentialBytes);
  } catch {
    return undefined;
  }
}

/** The 32 bytes of an Ed25519 public key. */
export function rawKey(key: KeyObject): Uint8Array {
  const { x } = key.export({ format: 'jwk' });
  return new Uint8Array(Buffer.from(x!, 'base64url'));
}

export function publicKeyOf(raw: Uint8Array): KeyObject {
  return createPublicKey({
    format: 'jwk',
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(raw).toString('base64url') },
  });
}
