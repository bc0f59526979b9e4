/**
 * Signs what this node says of itself, with its credential beside it, and judges what others say of themselves. The same
 * words come again and again in gossip: what was judged once is remembered.
 */
import { createHash, sign, verify, type KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { Fields } from '../../protocols/wire/fields.ts';
import type { Notary, Signed } from '../../protocols/membership/model.ts';
import { decodePlain, encodePlain } from '../../protocols/wire/codec.ts';
import { credentialBytes, readCredential, type Credential } from './credentials.ts';

/** A statement's body, a credential and a signature: see `claimBytes`. */
const sealedBytes = 700;

/** One or two words of each member of a large cluster. */
const remembered = { maxSize: 4_096, sizeCalculation: () => 1 };

export interface NotaryOptions {
  readonly label: string;
  /** This node's: see `issueCredential`. */
  readonly credential: Uint8Array;
  /** Its private key. */
  readonly key: KeyObject;
  /** Public keys of the cluster's authorities: two while one is exchanged. */
  readonly authorities: readonly KeyObject[];
  /** Wall time, ms since 1970. */
  now(): number;
}

export function createNotary({ label, credential, key, authorities, now }: NotaryOptions): Notary {
  const credentials = new LRUCache<string, Credential>(remembered);
  const judged = new LRUCache<string, Signed & { readonly vouchedUntil: number }>(remembered);

  const credentialOf = (bytes: Uint8Array): Credential | undefined => {
    const nowSeconds = Math.floor(now() / 1_000);
    const name = digest(bytes);
    const known = credentials.get(name);
    if (known) return known.notAfter >= nowSeconds ? known : undefined;
    const read = readCredential(bytes, { authorities, label, nowSeconds });
    if (read) credentials.set(name, read);
    return read;
  };

  return {
    seal: (body) => {
      const signature = sign(null, signed(label, body), key);
      return encodePlain([credential, new Uint8Array(signature), body], sealedBytes);
    },
    open: (sealed) => {
      const name = digest(sealed);
      const known = judged.get(name);
      if (known) return known.vouchedUntil >= now() ? known : undefined;
      const fields = Fields.of(decoded(sealed));
      const [theirs, signature, body] = [
        fields.bytes(credentialBytes, 1),
        fields.bytes(64),
        fields.bytes(sealedBytes, 1),
      ];
      if (!fields.good()) return undefined;
      const signer = credentialOf(theirs);
      if (!signer || !verify(null, signed(label, body), signer.key, signature)) return undefined;
      const { id, name: theirName, notAfter } = signer;
      const opened = { id, name: theirName, body, vouchedUntil: notAfter * 1_000 };
      judged.set(name, opened);
      return opened;
    },
  };
}

/** What is signed says what it is for: a signature for one purpose is none for another. */
function signed(label: string, body: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`hivemind statement ${label}\0`), body]);
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64url');
}

function decoded(bytes: Uint8Array): unknown {
  try {
    return decodePlain(bytes, sealedBytes);
  } catch {
    return undefined;
  }
}
