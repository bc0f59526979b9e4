/**
 * Datagrams that only the cluster can read and write. Each life of a sender has a key of its own, derived
 * from the ring's key, its identity and its boot; its counter is the nonce, so none is ever used twice under one key,
 * also when many send. The cluster's label is authenticated with the header: packets of another cluster that happens to
 * have the same key are refused. A packet counts once.
 *
 * Whoever holds the ring's key can still pretend to be another sender: what members say of themselves is signed besides.
 */
import { LRUCache } from 'lru-cache';
import { counterAt, headerBytes, tagBytes, type DatagramCipher, type LifeKey } from './datagram-cipher.ts';
import { keyNameBytes, type KeyRing, type RingKey } from './key-ring.ts';
import { ReplayWindow } from './replay-window.ts';

/** The header: version, name of the ring's key, identity of the sender (32 hexadecimal digits elsewhere), boot, counter. */
const version = 1;
const idBytes = 16;
const idAt = 1 + keyNameBytes;
const bootAt = idAt + idBytes;

/** What sealing adds to a packet. */
export const sealBytes = headerBytes + tagBytes;

/**
 * Lives of senders whose key and window are remembered, and senders: more than a cluster has. Counted one by one, because
 * a cache that is told how many it holds at most makes room for all of them at once.
 */
const remembered = { maxSize: 8_192, sizeCalculation: () => 1 };

export type RefusedDatagram = 'malformed' | 'unknown-key' | 'not-authentic' | 'replayed' | 'former-life';

export interface OpenedDatagram {
  readonly id: string;
  readonly boot: number;
  readonly bytes: Uint8Array;
}

/** The furthest that datagrams of a sender have come: its latest boot, and the highest counter of that. */
export interface Furthest {
  readonly boot: number;
  readonly counter: number;
}

interface Life {
  readonly id: string;
  readonly boot: number;
  /** Of the ring's key. */
  readonly keyName: string;
  readonly key: LifeKey;
  readonly window: ReplayWindow;
}

export interface SealedDatagramsOptions {
  readonly cipher: DatagramCipher;
  readonly ring: KeyRing;
  /** Of the cluster. */
  readonly label: string;
  /** 32 hexadecimal digits. */
  readonly id: string;
  readonly boot: number;
  /** See `firstCounterAt`. */
  readonly firstCounter?: number;
}

/**
 * Of the first packet of a life that begins at this wall time, in ms: above those of all that began earlier, also under the
 * same boot. A journal that is lost counts a boot twice; from 0 again, its packets would be taken for replays, and nonces
 * used twice. No life sends 1,024 packets a ms; enough counters are left until the year 2248.
 */
export const firstCounterAt = (wallMs: number): number => Math.floor(wallMs) * 1_024;

export class SealedDatagrams {
  readonly #cipher: DatagramCipher;
  #ring: KeyRing;
  readonly #label: string;
  readonly #id: string;
  readonly #boot: number;
  /** Of this node's datagrams, but for the counter. */
  readonly #header = Buffer.alloc(headerBytes);
  #own: LifeKey;
  /** Under each key a counter of its own would do; one for all is simpler. */
  #counter: number;
  /** By what stands of a life in a header. Those under keys that the ring lacks are gone. */
  readonly #lives = new LRUCache<string, Life>(remembered);
  /** By sender. */
  readonly #furthest = new LRUCache<string, { readonly boot: number; counter: number }>(remembered);

  constructor({ cipher, ring, label, id, boot, firstCounter = 0 }: SealedDatagramsOptions) {
    this.#cipher = cipher;
    this.#ring = ring;
    this.#label = label;
    this.#id = id;
    this.#boot = boot;
    this.#counter = firstCounter;
    this.#header[0] = version;
    this.#header.write(id, idAt, 'hex');
    this.#header.writeUInt32BE(boot, bootAt);
    this.#own = this.#use(ring.primary);
  }

  /** Takes effect with the next packet. */
  rotate(ring: KeyRing): void {
    const before = this.#ring.primary.name;
    this.#ring = ring;
    if (ring.primary.name !== before) this.#own = this.#use(ring.primary);
    for (const [name, { keyName }] of this.#lives.entries())
      if (!ring.find(keyName)) this.#lives.delete(name);
  }

  seal(bytes: Uint8Array): Uint8Array {
    const datagram = Buffer.allocUnsafe(bytes.length + sealBytes);
    datagram.set(this.#header);
    writeCounter(datagram, this.#counter++);
    datagram.set(bytes, headerBytes);
    this.#own.seal(datagram);
    return datagram;
  }

  /** The packet, or why it is refused. Nothing is remembered of a packet that is not authentic. */
  open(datagram: Uint8Array): OpenedDatagram | RefusedDatagram {
    const packet = Buffer.isBuffer(datagram)
      ? datagram
      : Buffer.from(datagram.buffer, datagram.byteOffset, datagram.byteLength);
    if (packet.length < sealBytes || packet[0] !== version) return 'malformed';
    const counter = readCounter(packet);
    if (counter > Number.MAX_SAFE_INTEGER) return 'malformed';
    const name = packet.toString('latin1', 1, counterAt);
    const known = this.#lives.get(name);
    const life = known ?? this.#lifeIn(packet);
    if (!life) return 'unknown-key';
    const bytes = life.key.open(packet);
    if (!bytes) return 'not-authentic';
    const { id, boot, window } = life;
    const furthest = this.#furthest.get(id);
    if (furthest && furthest.boot > boot) return 'former-life';
    if (furthest?.boot !== boot) this.#furthest.set(id, { boot, counter });
    else if (furthest.counter < counter) furthest.counter = counter;
    if (!known) this.#lives.set(name, life);
    return window.take(counter) ? { id, boot, bytes } : 'replayed';
  }

  /** Of that sender; of this node itself what it has sealed. */
  furthestOf(id: string): Furthest | undefined {
    if (id !== this.#id) return this.#furthest.get(id);
    return { boot: this.#boot, counter: this.#counter - 1 };
  }

  /** `undefined` when the ring lacks its key. */
  #lifeIn(packet: Buffer): Life | undefined {
    const key = this.#ring.find(packet.toString('hex', 1, idAt));
    if (!key) return undefined;
    return {
      id: packet.toString('hex', idAt, bootAt),
      boot: packet.readUInt32BE(bootAt),
      keyName: key.name,
      key: this.#keyOf(key, packet),
      window: new ReplayWindow(),
    };
  }

  /** For sending, from now on. */
  #use(key: RingKey): LifeKey {
    this.#header.write(key.name, 1, 'hex');
    return this.#keyOf(key, this.#header);
  }

  #keyOf({ secret }: RingKey, header: Buffer): LifeKey {
    return this.#cipher.keyOf(secret, this.#label, header.subarray(idAt, counterAt));
  }
}

/** As 64 bits; in halves, because a BigInt for each packet costs more than the rest of its header. */
function writeCounter(datagram: Buffer, counter: number): void {
  datagram.writeUInt32BE(Math.floor(counter / 2 ** 32), counterAt);
  datagram.writeUInt32BE(counter >>> 0, counterAt + 4);
}

function readCounter(datagram: Buffer): number {
  return datagram.readUInt32BE(counterAt) * 2 ** 32 + datagram.readUInt32BE(counterAt + 4);
}
