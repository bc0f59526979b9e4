/** The cipher of real clusters: AES-256-GCM, each life's key derived from the ring's by HKDF, its counter the nonce. */
import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { counterAt, headerBytes, tagBytes, type DatagramCipher, type LifeKey } from './datagram-cipher.ts';
import { keyBytes } from './key-ring.ts';

const algorithm = 'aes-256-gcm';
const options = { authTagLength: tagBytes };
const nonceBytes = 12;
const purpose = Buffer.from('hivemind datagram ');

export const aesGcm: DatagramCipher = {
  keyOf: (secret, label, life) => {
    const derived = hkdfSync('sha256', secret, label, Buffer.concat([purpose, life]), keyBytes);
    return new AesGcmKey(createSecretKey(new Uint8Array(derived)), label);
  },
};

class AesGcmKey implements LifeKey {
  readonly #key: KeyObject;
  /** Room for the header, then the label: what is authenticated beside the text. */
  readonly #bound: Buffer;
  readonly #nonce = Buffer.alloc(nonceBytes);

  constructor(key: KeyObject, label: string) {
    this.#key = key;
    this.#bound = Buffer.concat([Buffer.alloc(headerBytes), Buffer.from(label)]);
  }

  seal(datagram: Buffer): void {
    const end = datagram.length - tagBytes;
    const cipher = createCipheriv(algorithm, this.#key, this.#nonceOf(datagram), options);
    cipher.setAAD(this.#boundOf(datagram));
    datagram.set(cipher.update(datagram.subarray(headerBytes, end)), headerBytes);
    cipher.final();
    datagram.set(cipher.getAuthTag(), end);
  }

  open(datagram: Buffer): Buffer | undefined {
    const end = datagram.length - tagBytes;
    const decipher = createDecipheriv(algorithm, this.#key, this.#nonceOf(datagram), options);
    decipher.setAAD(this.#boundOf(datagram));
    decipher.setAuthTag(datagram.subarray(end));
    try {
      const plain = decipher.update(datagram.subarray(headerBytes, end));
      decipher.final();
      return plain;
    } catch {
      return undefined;
    }
  }

  #boundOf(datagram: Buffer): Buffer {
    datagram.copy(this.#bound, 0, 0, headerBytes);
    return this.#bound;
  }

  #nonceOf(datagram: Buffer): Buffer {
    datagram.copy(this.#nonce, nonceBytes - (headerBytes - counterAt), counterAt, headerBytes);
    return this.#nonce;
  }
}
