/** Whether members send what this node cannot read: a key of the gossip that it has not been told of. */
import type { DatagramCounts } from '../../../transport/datagram-link.ts';

/** Strangers may send such packets too, as many as they like: whoever has the keys is asked no more often. */
const everyMs = 2_000;

export class Unread {
  #counted = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  /** True at the first look after such a packet, and then from time to time while they come. */
  look({ refused }: Readonly<DatagramCounts>, now: number): boolean {
    const count = refused['unknown-key'];
    if (count === this.#counted || now - this.#toldAt < everyMs) return false;
    this.#counted = count;
    this.#toldAt = now;
    return true;
  }
}
