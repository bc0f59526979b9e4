/** Sealed datagrams over a network in memory. */
import type { MemberAddress } from '../../protocols/membership/model.ts';
import type { DatagramLink, ReceivedDatagram } from '../datagram-link.ts';
import { SealedLink } from '../sealed-link.ts';
import type { SealedDatagrams } from '../secure/sealed-datagrams.ts';
import type { MemoryDatagrams, Place } from './datagrams.ts';

export interface MemoryLinkOptions {
  readonly network: MemoryDatagrams;
  readonly address: MemberAddress;
  readonly seal: SealedDatagrams;
  readonly receive: (datagram: ReceivedDatagram) => void;
}

export function openMemoryLink({ network, address, seal, receive }: MemoryLinkOptions): DatagramLink {
  const here = placeOf(address);
  const link: SealedLink = new SealedLink(
    {
      address,
      carry: (to, bytes) => network.send(here, placeOf(to), bytes),
      close: async () => release(),
    },
    seal,
    receive,
  );
  const release = network.listen(here, (from, bytes) => link.arrived(addressOf(from), bytes));
  return link;
}

export function placeOf({ host, port }: MemberAddress): Place {
  return `${host} ${port}`;
}

function addressOf(place: Place): MemberAddress {
  const [host, port] = place.split(' ');
  return { host: host!, port: Number(port) };
}
