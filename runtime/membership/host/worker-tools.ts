/** What the membership subtree of a real node stands on: UDP, its own signature, the machine's clock. */
import type { MemberAddress } from '../../../protocols/membership/model.ts';
import type { GossipKeys } from '../../../protocols/membership/views/view.ts';
import { aesGcm } from '../../../transport/secure/aes-gcm.ts';
import { KeyRing, ringKey } from '../../../transport/secure/key-ring.ts';
import { firstCounterAt, SealedDatagrams } from '../../../transport/secure/sealed-datagrams.ts';
import { openUdpLink } from '../../../transport/udp/udp-link.ts';
import { realClock } from '../../world/real-clock.ts';
import { realRandom } from '../../world/real-random.ts';
import type { HostTools } from './host.ts';
import { renewableNotary, type ClusterSecrets } from './renewable-notary.ts';

export function realTools(
  self: { readonly id: string; readonly address: MemberAddress },
  secrets: ClusterSecrets,
): HostTools {
  const { label, keys } = secrets;
  const ringOf = (secret: GossipKeys): KeyRing => new KeyRing(secret.map(ringKey));
  return {
    clock: realClock,
    random: realRandom,
    notary: renewableNotary(secrets, () => realClock.now()),
    openLink: (boot, receive) => {
      const seal = new SealedDatagrams({
        ...{ cipher: aesGcm, ring: ringOf(keys), label, id: self.id, boot },
        firstCounter: firstCounterAt(realClock.now()),
      });
      return openUdpLink({ address: self.address, seal, receive });
    },
    rotate: (link, next) => link.rotate(ringOf(next)),
  };
}
