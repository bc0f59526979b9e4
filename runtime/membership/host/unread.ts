/** Whether members send what this node cannot read: a key of the gossip that it has not been told of. */
import type { DatagramCounts } from '../../../transport/datagram-link.ts';

/** Strangers may send such packets too, as many as they like: whoever has the keys is asked ever more rarely. */
const leastMs = 2_000;
const mostMs = 30_000;

export class Unread {
  #counted = 0;
  #toldAt = Number.NEGATIVE_INFINITY;
  #waitMs = leastMs;

  /** True at the first look after such a packet, and then from time to time while they come. */
  look({ refused }: Readonly<DatagramCounts>, now: number): boolean {
    const count = refused['unknown-key'];
    const sinceMs = now - this.#toldAt;
    if (count === this.#counted || sinceMs < this.#waitMs) return false;
    this.#counted = count;
    this.#toldAt = now;
    this.#waitMs = sinceMs >= 2 * mostMs ? leastMs : Math.min(mostMs, 2 * this.#waitMs);
    return true;
  }
}
