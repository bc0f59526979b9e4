/**
 * A secret of the store as text, for the node itself: the credentials of a registry are the secret `registry.<host>`,
 * `<host>` as an image name writes it (`ghcr.io`, `localhost:5000`).
 */
import type { Call, Ports } from '../../protocols/ports.ts';
import type { SealedValue, SecretRecord } from '../../protocols/security/model.ts';
import { isSecretName, presentVersion, sealedName, versionText } from '../../protocols/security/secrets.ts';
import { keys } from '../../protocols/state/keys.ts';

/** The present version; `undefined` when there is no such secret. HM-SECRET-KEY, HM-SECRET-DAMAGED, HM-STORE-DOWN. */
export async function secretText(
  { store, secrets }: Pick<Ports, 'store' | 'secrets'>,
  name: string,
  call: Call,
): Promise<string | undefined> {
  if (!isSecretName(name)) return undefined;
  const { kv } = await store.get({ key: keys.secret(name) }, call);
  const present = kv && presentVersion(kv.value as SecretRecord);
  if (!present) return undefined;
  const place = { name: sealedName(name), version: versionText(present.version) };
  const sealed = (await store.get({ key: keys.sealed(place.name, place.version) }, call)).kv?.value;
  if (!sealed) return undefined;
  const { content } = await secrets.open({ ...place, sealed: sealed as SealedValue }, call);
  return Buffer.from(content, 'base64').toString('utf8').trim();
}
