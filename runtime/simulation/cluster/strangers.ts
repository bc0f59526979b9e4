/** Packets that are no packets of this cluster, though they look like some: another key, another label, a bit changed. */
import { protocolVersion, encodePacket } from '../../../protocols/membership/packets.ts';
import { Self } from '../../../protocols/membership/self.ts';
import { placeOf } from '../../../transport/memory/memory-link.ts';
import { KeyRing, ringKey } from '../../../transport/secure/key-ring.ts';
import { SealedDatagrams } from '../../../transport/secure/sealed-datagrams.ts';
import { chanceFor } from '../../world/simulated/chance.ts';
import type { SimulatedWorld } from '../../world/simulated/simulated-world.ts';
import { simulatedLabel } from '../../world/simulated/simulated-cluster.ts';
import { simulatedNotary } from '../membership/notary.ts';

export function strangerPackets(
  { seed, clock, hub, keys, cipher, first }: SimulatedWorld,
  to: string,
  packets: number,
): void {
  const {
    label,
    keys: [key],
  } = first.gossip ?? { label: simulatedLabel, keys };
  const random = chanceFor(seed, `stranger ${clock.monotonicMs()}`);
  const id = random.hex(16);
  const address = { host: '10.9.1.1', port: 4_484 };
  const notary = simulatedNotary(id, 'stranger');
  const versions = [protocolVersion, protocolVersion] as const;
  const self = new Self(id, 1, { name: 'stranger', address, zone: '', condition: 'ready', versions }, notary);
  const sealed = (secret: Uint8Array, of: string) =>
    new SealedDatagrams({ cipher, ring: new KeyRing([ringKey(secret)]), label: of, id, boot: 1 });
  const ways = [
    sealed(new Uint8Array(32).fill(66), simulatedLabel),
    sealed(key, 'another cluster'),
    sealed(key, label),
  ];
  for (let sent = 0; sent < packets; sent += 1) {
    const kind = Math.floor(random.next() * ways.length);
    const packet = encodePacket({ kind: 'gossip' }, [self.statement.bytes]);
    const bytes = Uint8Array.from(ways[kind]!.seal(packet));
    if (kind === 2) bytes[Math.floor(random.next() * bytes.length)]! ^= 1 << Math.floor(random.next() * 8);
    hub.datagrams.send(placeOf(address), placeOf(hub.addressOf(to)), bytes);
  }
}
