/** What the cluster gave a node, in the forms that its parts take. */
import { X509Certificate } from 'node:crypto';
import type { Issued } from '../../../protocols/cluster/join.ts';
import type { Credentials, GossipKeys } from '../../../protocols/membership/views/view.ts';
import { rawKey } from '../../../transport/secure/credentials.ts';

export const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));
export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

export function credentialsOf({ credential, authority }: Issued): Credentials {
  return {
    credential: bytesOf(credential),
    authorities: [rawKey(new X509Certificate(authority).publicKey)],
  };
}

export function gossipKeysOf({ gossipKeys: [first, ...more] }: Issued): GossipKeys {
  return [bytesOf(first!), ...more.map(bytesOf)];
}
