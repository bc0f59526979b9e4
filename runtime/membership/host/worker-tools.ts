/** What the membership subtree of a real node stands on: UDP, its own signature, the machine's clock. */
import type { KeyObject } from 'node:crypto';
import type { MemberAddress } from '../../../protocols/membership/model.ts';
import type { Credentials, GossipKeys } from '../../../protocols/membership/views/view.ts';
import { aesGcm } from '../../../transport/secure/aes-gcm.ts';
import { publicKeyOf } from '../../../transport/secure/credentials.ts';
import { KeyRing, ringKey } from '../../../transport/secure/key-ring.ts';
import { createNotary } from '../../../transport/secure/notary.ts';
import { SealedDatagrams } from '../../../transport/secure/sealed-datagrams.ts';
import { openUdpLink } from '../../../transport/udp/udp-link.ts';
import { realClock } from '../../world/real-clock.ts';
import { realRandom } from '../../world/real-random.ts';
import type { HostTools, RenewableNotary } from './host.ts';

/** What makes a node one of its cluster. Handed from thread to thread, never written. */
export interface ClusterSecrets extends Credentials {
  /** Of the cluster. */
  readonly label: string;
  /** The node's private key. */
  readonly key: KeyObject;
  readonly keys: GossipKeys;
}

export function realTools(
  self: { readonly id: string; readonly address: MemberAddress },
  secrets: ClusterSecrets,
): HostTools {
  const { label, keys } = secrets;
  const ringOf = (secret: GossipKeys): KeyRing => new KeyRing(secret.map(ringKey));
  return {
    clock: realClock,
    random: realRandom,
    notary: renewable(secrets),
    openLink: (boot, receive) => {
      const seal = new SealedDatagrams({ cipher: aesGcm, ring: ringOf(keys), label, id: self.id, boot });
      return openUdpLink({ address: self.address, seal, receive });
    },
    rotate: (link, next) => link.rotate(ringOf(next)),
  };
}

function renewable({ label, key, credential, authorities }: ClusterSecrets): RenewableNotary {
  const make = (by: Credentials) =>
    createNotary({
      label,
      key,
      credential: by.credential,
      authorities: by.authorities.map(publicKeyOf),
      now: () => realClock.now(),
    });
  let current = make({ credential, authorities });
  return {
    seal: (...said) => current.seal(...said),
    open: (...said) => current.open(...said),
    renew: (credentials) => (current = make(credentials)),
  };
}
