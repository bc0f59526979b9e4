/**
 * The keys that a cluster's datagrams are encrypted with. One is used for sending, all are tried for what comes in: so
 * a key is exchanged without losing a packet — added everywhere, then used everywhere, then removed everywhere.
 */
import { createHash } from 'node:crypto';
import { coded } from '../../protocols/errors.ts';

/** Bytes of a key, and of the name by which packets say which one they are encrypted with. */
export const keyBytes = 32;
export const keyNameBytes = 4;

/** More keys than a rotation needs are a mistake. */
const mostKeys = 8;

export interface RingKey {
  /** Lower-case hexadecimal; says nothing of the key. */
  readonly name: string;
  readonly secret: Uint8Array;
}

export function ringKey(secret: Uint8Array): RingKey {
  if (secret.length !== keyBytes)
    throw coded('HM-GOSSIP-KEY', `a gossip key has ${keyBytes} bytes, not ${secret.length}`);
  const name = createHash('sha256').update('hivemind gossip key name').update(secret).digest('hex');
  return { name: name.slice(0, keyNameBytes * 2), secret };
}

/** The first key is the one for sending. A value: rotations make new rings. */
export class KeyRing {
  readonly #keys: readonly RingKey[];

  constructor(keys: readonly RingKey[]) {
    if (keys.length === 0) throw coded('HM-GOSSIP-KEY', 'the ring holds no key');
    if (keys.length > mostKeys)
      throw coded('HM-GOSSIP-KEY', `the ring holds ${keys.length} keys of ${mostKeys}`);
    this.#keys = keys;
  }

  get primary(): RingKey {
    return this.#keys[0]!;
  }

  get names(): readonly string[] {
    return this.#keys.map(({ name }) => name);
  }

  find(name: string): RingKey | undefined {
    return this.#keys.find((key) => key.name === name);
  }

  /** Understood from now on, not yet used for sending. */
  with(key: RingKey): KeyRing {
    return this.find(key.name) ? this : new KeyRing([...this.#keys, key]);
  }

  /** Used for sending from now on. Throws HM-GOSSIP-KEY when the ring does not hold it. */
  using(name: string): KeyRing {
    const key = this.find(name);
    if (!key) throw coded('HM-GOSSIP-KEY', `the ring holds no key ${name}`);
    return new KeyRing([key, ...this.#keys.filter((one) => one !== key)]);
  }

  /** Not understood any more. Throws HM-GOSSIP-KEY for the key that is used for sending. */
  without(name: string): KeyRing {
    if (this.primary.name === name) throw coded('HM-GOSSIP-KEY', `${name} is the key in use`);
    return new KeyRing(this.#keys.filter((key) => key.name !== name));
  }
}
