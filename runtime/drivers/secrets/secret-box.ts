/**
 * The secret box over any place where keys can be kept. A key is made when the first value is sealed, and never when
 * the store already holds sealed values: then a key is missing, and a new one would only hide that.
 */
import { CodedError, coded, reasonOf } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Call, Random, SecretBox, StateStore } from '../../../protocols/ports.ts';
import type { SealedValue } from '../../../protocols/security/model.ts';
import { tooLargeSecret } from '../../../protocols/security/secrets.ts';
import { keys } from '../../../protocols/state/keys.ts';
import { newKey, newRing, type KeyRing, type KeyStorage } from './key-ring.ts';
import { keyedDigest, openValue, rewrapValue, sealValue, type WrappingKey } from './sealing.ts';

export interface SecretBoxOptions {
  readonly storage: KeyStorage;
  readonly random: Random;
  /** The store whose values it seals: its id is bound into everything. */
  readonly store: () => StateStore;
}

/** The ring of a box: read once, made once, changed one after the other. */
interface KeyHolder {
  /** The ring that is there. HM-SECRET-KEY when values are sealed and their key is not. */
  present(): Promise<KeyRing | undefined>;
  /** … or a new one. */
  ensured(): Promise<KeyRing>;
  keyOf(keyId: string): Promise<WrappingKey>;
  renew(): Promise<WrappingKey>;
}

function holdKeys({ storage, random, store }: SecretBoxOptions): KeyHolder {
  let known: KeyRing | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  /** Two first values must not make two keys. */
  const alone = <Value>(work: () => Promise<Value>): Promise<Value> => {
    const mine = turn.then(work);
    turn = mine.catch(() => undefined);
    return mine;
  };
  const read = async (): Promise<KeyRing | undefined> => {
    if (known) return known;
    const ring = await storage.load();
    const inUse = await keyInUse(store());
    if (inUse !== undefined && !ring?.keys.some((key) => key.id === inUse))
      throw coded(
        'HM-SECRET-KEY',
        ring
          ? `the key in ${storage.where} is not the one that opens this store's secrets`
          : `there is no key in ${storage.where}, and this store holds secrets`,
        { path: storage.where, keyId: inUse },
      );
    return (known = ring);
  };
  const keep = async (ring: KeyRing): Promise<KeyRing> => {
    await storage.save(ring);
    return (known = ring);
  };
  return {
    present: () => alone(read),
    ensured: () => alone(async () => (await read()) ?? keep(newRing(random))),
    keyOf: async (keyId) => {
      const ring = await alone(read);
      const key = ring?.keys.find((one) => one.id === keyId);
      if (key) return key;
      const text = `the key ${keyId} is not in ${storage.where}`;
      throw coded('HM-SECRET-KEY', text, { keyId, path: storage.where });
    },
    renew: () =>
      alone(async () => {
        const ring = (await read()) ?? newRing(random);
        const key = newKey(random);
        await keep({ ...ring, keys: [key, ...ring.keys.slice(0, 1)] });
        return key;
      }),
  };
}

export function createSecretBox(options: SecretBoxOptions): SecretBox {
  const { random } = options;
  const holder = holdKeys(options);
  const place = async (name: string, version: string): Promise<string> =>
    JSON.stringify(['hivemind/1', await storeIdOf(options.store()), name, version]);
  return {
    status: async () => {
      try {
        const ring = await holder.present();
        return ring ? { keyId: ring.keys[0]!.id } : {};
      } catch (thrown) {
        return { locked: reasonOf(thrown) };
      }
    },
    digest: async ({ content }) => {
      const bytes = bytesOf(content);
      return { digest: keyedDigest((await holder.ensured()).digestKey, bytes) };
    },
    seal: async ({ name, version, content }) => {
      const bytes = bytesOf(content);
      const ring = await holder.ensured();
      return { sealed: sealValue(ring.keys[0]!, random, await place(name, version), bytes) };
    },
    open: async ({ name, version, sealed }) => {
      const key = await holder.keyOf(sealed.keyId);
      return { content: openValue(key, await place(name, version), sealed).toString('base64') };
    },
    rewrap: async ({ name, version, sealed }) => {
      const from = await holder.keyOf(sealed.keyId);
      const ring = await holder.ensured();
      const bound = await place(name, version);
      return { sealed: rewrapValue(from, ring.keys[0]!, random, bound, sealed) };
    },
    renewKey: async () => ({ keyId: (await holder.renew()).id }),
  };
}

function bytesOf(content: string): Buffer {
  const bytes = Buffer.from(content, 'base64');
  if (bytes.length > limits.secretBytes) throw new CodedError(tooLargeSecret(bytes.length));
  return bytes;
}

const ownCall = (): Call => ({ key: 'secret-box', signal: new AbortController().signal });

const storeIdOf = async (store: StateStore): Promise<string> =>
  (await store.status({}, ownCall())).identity.id;

/** Key of a value that the store holds already; `undefined` when it holds none. */
async function keyInUse(store: StateStore): Promise<string | undefined> {
  const { kvs } = await store.list({ prefix: keys.allSealed, limit: 1 }, ownCall());
  return (kvs[0]?.value as SealedValue | undefined)?.keyId;
}
