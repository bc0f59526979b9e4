/**
 * Envelope encryption as functions of bytes: AES-256-GCM twice. A fresh data key seals the value, a key-encryption
 * key seals the data key; both bind the same associated data. Chance comes in as an argument.
 */
import { createCipheriv, createDecipheriv, createHash, createHmac } from 'node:crypto';
import { coded } from '../../../protocols/errors.ts';
import type { Random } from '../../../protocols/ports.ts';
import type { SealedValue } from '../../../protocols/security/model.ts';

export const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

export const randomBytesOf = (random: Random, bytes: number): Buffer => Buffer.from(random.hex(bytes), 'hex');

/** Names a key without giving it away. */
export const keyIdOf = (key: Buffer): string =>
  createHmac('sha256', key).update('hivemind key id').digest('hex').slice(0, 16);

export const keyedDigest = (key: Buffer, content: Buffer): string =>
  `sha256:${createHmac('sha256', key).update(content).digest('hex')}`;

/** Nonce, ciphertext, tag. */
export function encrypt(key: Buffer, random: Random, bound: string, plain: Buffer): Buffer {
  const nonce = randomBytesOf(random, nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes });
  cipher.setAAD(fingerprint(bound));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** `undefined` unless it was made with this key for this place. */
export function decrypt(key: Buffer, bound: string, sealed: Buffer): Buffer | undefined {
  if (sealed.length < nonceBytes + tagBytes) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, nonceBytes), {
    authTagLength: tagBytes,
  });
  decipher.setAAD(fingerprint(bound));
  decipher.setAuthTag(sealed.subarray(-tagBytes));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, -tagBytes)), decipher.final()]);
  } catch {
    return undefined;
  }
}

const fingerprint = (bound: string): Buffer => createHash('sha256').update(bound).digest();

export interface WrappingKey {
  readonly id: string;
  readonly key: Buffer;
}

export function sealValue(key: WrappingKey, random: Random, bound: string, content: Buffer): SealedValue {
  const own = randomBytesOf(random, keyBytes);
  const body = encrypt(own, random, `value ${bound}`, content);
  return { ...wrapKey(key, random, bound, own), body: body.toString('base64') };
}

export function openValue({ key }: WrappingKey, bound: string, sealed: SealedValue): Buffer {
  const own = unwrapKey(key, bound, sealed);
  return decrypt(own, `value ${bound}`, Buffer.from(sealed.body, 'base64')) ?? damaged('value', sealed.keyId);
}

/** The data key under another key. */
export function rewrapValue(
  from: WrappingKey,
  to: WrappingKey,
  random: Random,
  bound: string,
  sealed: SealedValue,
): SealedValue {
  const own = unwrapKey(from.key, bound, sealed);
  return { ...wrapKey(to, random, bound, own), body: sealed.body };
}

function wrapKey(key: WrappingKey, random: Random, bound: string, own: Buffer) {
  return { keyId: key.id, wrap: encrypt(key.key, random, `key ${bound}`, own).toString('base64') };
}

function unwrapKey(key: Buffer, bound: string, { wrap, keyId }: SealedValue): Buffer {
  return decrypt(key, `key ${bound}`, Buffer.from(wrap, 'base64')) ?? damaged('data key', keyId);
}

/** Says which part, never what is in it. */
function damaged(what: string, keyId: string): never {
  throw coded('HM-SECRET-DAMAGED', `the ${what} does not open at this place`, { keyId });
}
