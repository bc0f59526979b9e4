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

/** Of addresses that were asked for before: they are the same few objects, a packet each. */
const places = new WeakMap<MemberAddress, Place>();
const addresses = new Map<Place, MemberAddress>();
/** Beyond, all are forgotten at once. */
const mostAddresses = 10_000;

export function placeOf(address: MemberAddress): Place {
  const known = places.get(address);
  if (known !== undefined) return known;
  const place = `${address.host} ${address.port}`;
  places.set(address, place);
  return place;
}

function addressOf(place: Place): MemberAddress {
  const known = addresses.get(place);
  if (known) return known;
  if (addresses.size >= mostAddresses) addresses.clear();
  const [host, port] = place.split(' ');
  const address = { host: host!, port: Number(port) };
  addresses.set(place, address);
  return address;
}
