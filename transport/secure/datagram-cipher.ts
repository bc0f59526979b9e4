/**
 * What makes the datagrams of a cluster unreadable and unforgeable, as a port: AES-256-GCM (`aes-gcm.ts`) for nodes, and
 * for the simulation, which seals millions of packets that nobody spies on, a keyed checksum. Both pass one suite. Who
 * opens a link names its cipher: there is no default.
 *
 * Which life sent a packet, and whether it came before, is not the cipher's business: see `sealed-datagrams.ts`.
 */

/** Bytes at the end of a datagram that prove it. */
export const tagBytes = 16;
/** Bytes of a datagram before what is sealed; the last eight are different in each datagram of a key. */
export const headerBytes = 33;
/** Where those eight begin. */
export const counterAt = headerBytes - 8;

/** For the datagrams of one life of a sender. */
export interface LifeKey {
  /** In place: what stands between header and tag is sealed, and the tag written. Header and label are bound by it. */
  seal(datagram: Buffer): void;
  /** What was sealed, which may be a window into the datagram; `undefined` when a bit of it, of the header or of the label is another. */
  open(datagram: Buffer): Buffer | undefined;
}

export interface DatagramCipher {
  /** `secret`: the ring's; `life`: a sender's identity and boot. */
  keyOf(secret: Uint8Array, label: string, life: Uint8Array): LifeKey;
}
