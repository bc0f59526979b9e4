/**
 * Datagrams that only the cluster can read and write (AES-256-GCM). Each life of a sender has a key of its own, derived
 * from the ring's key, its identity and its boot; its counter is the nonce, so none is ever used twice under one key,
 * also when many send. The cluster's label is authenticated with the header: packets of another cluster that happens to
 * have the same key are refused. A packet counts once.
 *
 * Whoever holds the ring's key can still pretend to be another sender: what members say of themselves is signed besides.
 */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { keyBytes, keyNameBytes, type KeyRing, type RingKey } from './key-ring.ts';
import { ReplayWindow } from './replay-window.ts';

/** Node identities on the wire: 16 bytes, 32 hexadecimal digits elsewhere. */
const idBytes = 16;
const version = 1;
const counterAt = 1 + keyNameBytes + idBytes + 4;
const headerBytes = counterAt + 8;
const tagBytes = 16;

/** What sealing adds to a packet. */
export const sealBytes = headerBytes + tagBytes;

/** Lives of senders whose key and window are remembered: more than a cluster has. */
const mostLives = 8_192;
const mostSenders = 8_192;

export type RefusedDatagram = 'malformed' | 'unknown-key' | 'not-authentic' | 'replayed' | 'former-life';

export interface OpenedDatagram {
  readonly id: string;
  readonly boot: number;
  readonly bytes: Uint8Array;
}

interface Life {
  readonly key: Uint8Array;
  readonly window: ReplayWindow;
}

export interface SealedDatagramsOptions {
  readonly ring: KeyRing;
  /** Of the cluster. */
  readonly label: string;
  /** 32 hexadecimal digits. */
  readonly id: string;
  readonly boot: number;
}

export class SealedDatagrams {
  #ring: KeyRing;
  readonly #label: string;
  readonly #id: Buffer;
  readonly #boot: number;
  #own: { readonly key: RingKey; readonly derived: Uint8Array };
  /** Under each key a counter of its own would do; one for all is simpler. */
  #counter = 0;
  readonly #lives = new LRUCache<string, Life>({ max: mostLives });
  /** The latest boot heard of each sender. */
  readonly #boots = new LRUCache<string, number>({ max: mostSenders });

  constructor({ ring, label, id, boot }: SealedDatagramsOptions) {
    this.#ring = ring;
    this.#label = label;
    this.#id = Buffer.from(id, 'hex');
    this.#boot = boot;
    this.#own = { key: ring.primary, derived: this.#derive(ring.primary, this.#id, boot) };
  }

  /** Takes effect with the next packet. */
  rotate(ring: KeyRing): void {
    this.#ring = ring;
    if (ring.primary.name !== this.#own.key.name)
      this.#own = { key: ring.primary, derived: this.#derive(ring.primary, this.#id, this.#boot) };
    for (const name of this.#lives.keys()) if (!ring.find(name.split(' ')[0]!)) this.#lives.delete(name);
  }

  seal(bytes: Uint8Array): Uint8Array {
    const header = Buffer.alloc(headerBytes);
    header[0] = version;
    header.write(this.#own.key.name, 1, 'hex');
    this.#id.copy(header, 1 + keyNameBytes);
    header.writeUInt32BE(this.#boot, 1 + keyNameBytes + idBytes);
    header.writeBigUInt64BE(BigInt(this.#counter++), counterAt);
    const cipher = createCipheriv('aes-256-gcm', this.#own.derived, nonceOf(header));
    cipher.setAAD(this.#bound(header));
    return Buffer.concat([header, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
  }

  /** The packet, or why it is refused. Nothing is remembered of a packet that is not authentic. */
  open(datagram: Uint8Array): OpenedDatagram | RefusedDatagram {
    const packet = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.byteLength);
    if (packet.length < sealBytes || packet[0] !== version) return 'malformed';
    const header = packet.subarray(0, headerBytes);
    const key = this.#ring.find(header.toString('hex', 1, 1 + keyNameBytes));
    if (!key) return 'unknown-key';
    const id = header.subarray(1 + keyNameBytes, 1 + keyNameBytes + idBytes);
    const boot = header.readUInt32BE(1 + keyNameBytes + idBytes);
    const counter = header.readBigUInt64BE(counterAt);
    if (counter > Number.MAX_SAFE_INTEGER) return 'malformed';
    const sender = id.toString('hex');
    const name = `${key.name} ${sender} ${boot}`;
    const life = this.#lives.get(name) ?? { key: this.#derive(key, id, boot), window: new ReplayWindow() };
    const bytes = this.#decrypt(life.key, header, packet);
    if (!bytes) return 'not-authentic';
    if ((this.#boots.get(sender) ?? 0) > boot) return 'former-life';
    this.#boots.set(sender, boot);
    this.#lives.set(name, life);
    if (!life.window.take(Number(counter))) return 'replayed';
    return { id: sender, boot, bytes };
  }

  #decrypt(key: Uint8Array, header: Buffer, packet: Buffer): Uint8Array | undefined {
    const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(header), { authTagLength: tagBytes });
    decipher.setAAD(this.#bound(header));
    decipher.setAuthTag(packet.subarray(packet.length - tagBytes));
    try {
      const plain = decipher.update(packet.subarray(headerBytes, packet.length - tagBytes));
      return Buffer.concat([plain, decipher.final()]);
    } catch {
      return undefined;
    }
  }

  #bound(header: Buffer): Buffer {
    return Buffer.concat([header, Buffer.from(this.#label)]);
  }

  #derive({ secret }: RingKey, id: Uint8Array, boot: number): Uint8Array {
    const life = Buffer.alloc(idBytes + 4);
    life.set(id);
    life.writeUInt32BE(boot, idBytes);
    const info = Buffer.concat([Buffer.from('hivemind datagram '), life]);
    return new Uint8Array(hkdfSync('sha256', secret, this.#label, info, keyBytes));
  }
}

function nonceOf(header: Buffer): Buffer {
  const nonce = Buffer.alloc(12);
  header.copy(nonce, 4, counterAt);
  return nonce;
}
