/**
 * Packets that are no packets of this cluster, though they look like some: another key, another label, a bit changed under
 * way. They come from nobody or from a member, and say that there is one more member, or that one who lives is dead.
 */
import { packAccusation, type PackedClaim } from '../../../protocols/membership/claims/codec.ts';
import { protocolVersion, encodePacket } from '../../../protocols/membership/packets.ts';
import { Self } from '../../../protocols/membership/self.ts';
import { placeOf } from '../../../transport/memory/memory-link.ts';
import { KeyRing, ringKey } from '../../../transport/secure/key-ring.ts';
import { firstCounterAt, SealedDatagrams } from '../../../transport/secure/sealed-datagrams.ts';
import { chanceFor } from '../../world/simulated/chance.ts';
import type { SimulatedNode } from '../../world/simulated/simulated-node.ts';
import type { SimulatedWorld } from '../../world/simulated/simulated-world.ts';
import { simulatedLabel } from '../../world/simulated/simulated-cluster.ts';
import { simulatedNotary } from '../membership/notary.ts';

/** In words, and how it arrives. */
export interface StrangePacket {
  readonly what: string;
  arrive(): void;
}

const address = { host: '10.9.1.1', port: 4_484 };
/** Beyond every packet of a member: who takes note of one that is not authentic hears nothing more of that member. */
const farCounters = 2 ** 40;

export function strangePackets(
  world: SimulatedWorld,
  to: SimulatedNode,
  packets: number,
): readonly StrangePacket[] {
  const { seed, clock, hub, keys, cipher, first, nodes } = world;
  const {
    label,
    keys: [key],
  } = first.gossip ?? { label: simulatedLabel, keys };
  const random = chanceFor(seed, `stranger ${clock.monotonicMs()}`);
  const one = <Value>(of: readonly Value[]): Value => of[Math.floor(random.next() * of.length)]!;
  const nobody = { id: random.hex(16), boot: 1 };
  const members = nodes.flatMap((node) => {
    const said = node.said.get(node.id);
    return said && node !== to ? [{ id: node.id, boot: said.boot, said }] : [];
  });
  const ways = [
    ['another key', new Uint8Array(32).fill(66), label],
    ['another label', key, 'another cluster'],
    ['a bit changed', key, label],
  ] as const;
  const stated = statementOf(nobody.id);
  return Array.from({ length: packets }, () => {
    const [way, secret, of] = one(ways);
    const from = one([nobody, ...members]);
    const accused = one([undefined, ...members]);
    const claim: PackedClaim = accused
      ? packAccusation({ kind: 'dead', id: accused.id, incarnation: accused.said, from: from.id })
      : stated;
    const { id, boot } = from;
    const firstCounter = firstCounterAt(clock.now()) + farCounters;
    const ring = new KeyRing([ringKey(secret)]);
    const seal = new SealedDatagrams({ cipher, ring, label: of, id, boot, firstCounter });
    const bytes = Uint8Array.from(seal.seal(encodePacket({ kind: 'gossip' }, [claim])));
    if (way === 'a bit changed')
      bytes[Math.floor(random.next() * bytes.length)]! ^= 1 << Math.floor(random.next() * 8);
    return {
      what: `${way}: "${accused ? `${accused.id} is dead` : `${id} is a member`}"`,
      arrive: () => hub.datagrams.arrive(placeOf(address), placeOf(hub.addressOf(to.name)), bytes),
    };
  });
}

function statementOf(id: string): Uint8Array {
  const versions = [protocolVersion, protocolVersion] as const;
  const profile = { name: 'stranger', address, zone: '', condition: 'ready', versions } as const;
  return new Self(id, 1, profile, simulatedNotary(id, 'stranger')).statement.bytes;
}
