/** A datagram link over anything that carries bytes to an address: sealing, opening and counting, once for all carriers. */
import type { MemberAddress, NodeId } from '../protocols/membership/model.ts';
import {
  datagramBytes,
  noDatagrams,
  type DatagramCounts,
  type DatagramLink,
  type ReceivedDatagram,
} from './datagram-link.ts';
import type { KeyRing } from './secure/key-ring.ts';
import type { Furthest, SealedDatagrams } from './secure/sealed-datagrams.ts';

/** Bytes to an address, and nothing else. */
export interface Carrier {
  readonly address: MemberAddress;
  /** `failed` is called when the system did not take it. */
  carry(to: MemberAddress, bytes: Uint8Array, failed: () => void): void;
  close(): Promise<void>;
}

export class SealedLink implements DatagramLink {
  readonly counts: DatagramCounts = noDatagrams();
  readonly #carrier: Carrier;
  readonly #seal: SealedDatagrams;
  readonly #receive: (datagram: ReceivedDatagram) => void;
  #closed = false;

  constructor(carrier: Carrier, seal: SealedDatagrams, receive: (datagram: ReceivedDatagram) => void) {
    this.#carrier = carrier;
    this.#seal = seal;
    this.#receive = receive;
  }

  get address(): MemberAddress {
    return this.#carrier.address;
  }

  send(to: MemberAddress, bytes: Uint8Array): void {
    if (this.#closed) return;
    const sealed = this.#seal.seal(bytes);
    if (sealed.length > datagramBytes) {
      this.counts.tooLong += 1;
      return;
    }
    this.counts.sent += 1;
    this.counts.sentBytes += sealed.length;
    this.#carrier.carry(to, sealed, () => (this.counts.failed += 1));
  }

  /** For the carrier: bytes came from that address. */
  arrived(address: MemberAddress, sealed: Uint8Array): void {
    if (this.#closed) return;
    this.counts.received += 1;
    this.counts.receivedBytes += sealed.length;
    const opened = this.#seal.open(sealed);
    if (typeof opened === 'string') this.counts.refused[opened] += 1;
    else {
      const { id, boot, bytes } = opened;
      this.#receive({ id, boot, address, bytes });
    }
  }

  furthestOf(id: NodeId): Furthest | undefined {
    return this.#seal.furthestOf(id);
  }

  rotate(ring: KeyRing): void {
    this.#seal.rotate(ring);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#carrier.close();
  }
}
