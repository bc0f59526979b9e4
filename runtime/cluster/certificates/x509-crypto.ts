/**
 * What the library of certificates asks of WebCrypto, for Ed25519 keys, answered at once by Node's own functions: a
 * signature takes less time than its way to another thread, and nothing of it waits for real time in simulation.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  sign,
  verify,
  webcrypto,
  type KeyObject,
} from 'node:crypto';

/** In form a `CryptoKey`. */
export interface MadeKey {
  readonly type: 'public' | 'private';
  readonly algorithm: { readonly name: string };
  readonly extractable: true;
  readonly usages: readonly string[];
  readonly object: KeyObject;
}

export const algorithm = { name: 'Ed25519' } as const;

export function madeKey(object: KeyObject): MadeKey {
  const type = object.type === 'private' ? 'private' : 'public';
  const usages = type === 'private' ? ['sign'] : ['verify'];
  return { type, algorithm, extractable: true, usages, object };
}

/** Throws for what WebCrypto would refuse as well: another algorithm than the key's. */
function ofEd25519({ object }: MadeKey, wanted: { readonly name?: string } | string): KeyObject {
  const name = typeof wanted === 'string' ? wanted : wanted.name;
  if (name === algorithm.name && object.asymmetricKeyType === 'ed25519') return object;
  throw new Error(`${name} is not the algorithm of this key`);
}

const bytesOf = (source: ArrayBuffer | ArrayBufferView): Buffer =>
  ArrayBuffer.isView(source)
    ? Buffer.from(source.buffer, source.byteOffset, source.byteLength)
    : Buffer.from(source);

/** Of its own memory, which Node's small buffers share. */
const plain = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer;

const subtle = {
  digest: async (name: string | { readonly name: string }, data: ArrayBuffer) => {
    const hash = (typeof name === 'string' ? name : name.name).replace('-', '').toLowerCase();
    return plain(createHash(hash).update(bytesOf(data)).digest());
  },
  exportKey: async (format: string, { object }: MadeKey) =>
    plain(object.export({ format: 'der', type: format === 'spki' ? 'spki' : 'pkcs8' }) as Buffer),
  importKey: async (format: string, data: ArrayBuffer) => {
    const key = bytesOf(data);
    return madeKey(
      format === 'spki'
        ? createPublicKey({ key, format: 'der', type: 'spki' })
        : createPrivateKey({ key, format: 'der', type: 'pkcs8' }),
    );
  },
  sign: async (wanted: { readonly name: string }, key: MadeKey, data: ArrayBuffer) =>
    plain(sign(null, bytesOf(data), ofEd25519(key, wanted))),
  verify: async (
    wanted: { readonly name: string },
    key: MadeKey,
    signature: ArrayBuffer,
    data: ArrayBuffer,
  ) => verify(null, bytesOf(data), ofEd25519(key, wanted), bytesOf(signature)),
};

/** For `x509.cryptoProvider`. */
export const crypto = {
  subtle,
  getRandomValues: (values: Uint8Array) => webcrypto.getRandomValues(values),
};

/** PKCS #8 around the 32 bytes that an Ed25519 key is (RFC 8410, 7). */
const pkcs8Head = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The private key that these 64 hexadecimal digits of chance are. */
export function privateKeyOf(chance: string): KeyObject {
  const key = Buffer.concat([pkcs8Head, Buffer.from(chance, 'hex')]);
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
}
