/** A member's own signature, with whatever credential it has at the time. */
import type { KeyObject } from 'node:crypto';
import type { Credentials, GossipKeys } from '../../../protocols/membership/views/view.ts';
import { publicKeyOf } from '../../../transport/secure/credentials.ts';
import { createNotary } from '../../../transport/secure/notary.ts';
import type { RenewableNotary } from './host.ts';

/** What makes a node one of its cluster. Handed from thread to thread, never written. */
export interface ClusterSecrets extends Credentials {
  /** Of the cluster. */
  readonly label: string;
  /** The node's private key. */
  readonly key: KeyObject;
  readonly keys: GossipKeys;
}

/** `now`: wall time, ms since 1970. */
export function renewableNotary(
  { label, key, credential, authorities }: ClusterSecrets,
  now: () => number,
): RenewableNotary {
  const make = (by: Credentials) =>
    createNotary({
      ...{ label, key, now },
      credential: by.credential,
      authorities: by.authorities.map(publicKeyOf),
    });
  let current = make({ credential, authorities });
  return {
    seal: (...said) => current.seal(...said),
    open: (...said) => current.open(...said),
    renew: (credentials) => (current = make(credentials)),
  };
}
