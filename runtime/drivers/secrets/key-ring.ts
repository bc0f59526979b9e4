/** The keys that open secrets, as they are kept outside the store; and where they can be kept. */
import type { Random } from '../../../protocols/ports.ts';
import { keyBytes, keyIdOf, randomBytesOf, type WrappingKey } from './sealing.ts';

export interface KeyRing {
  /** The first seals; all open. Never empty. */
  readonly keys: readonly WrappingKey[];
  /** Makes digests. Stays when keys change, so that a change of keys changes no container. */
  readonly digestKey: Buffer;
}

export interface KeyStorage {
  /** As people find it. */
  readonly where: string;
  /** `undefined` when there is none yet; HM-SECRET-KEY when it cannot be read. */
  load(): Promise<KeyRing | undefined>;
  /** Durable and whole when it resolves. */
  save(ring: KeyRing): Promise<void>;
}

export function newRing(random: Random): KeyRing {
  return { keys: [newKey(random)], digestKey: randomBytesOf(random, keyBytes) };
}

export function newKey(random: Random): WrappingKey {
  return keyOf(randomBytesOf(random, keyBytes));
}

export function keyOf(key: Buffer): WrappingKey {
  return { id: keyIdOf(key), key };
}

/** In memory: of a simulated machine, or of a test. It outlives the boxes that use it. */
export class MemoryKeys implements KeyStorage {
  readonly where = 'memory';
  ring: KeyRing | undefined;

  load(): Promise<KeyRing | undefined> {
    return Promise.resolve(this.ring);
  }

  save(ring: KeyRing): Promise<void> {
    this.ring = ring;
    return Promise.resolve();
  }
}
