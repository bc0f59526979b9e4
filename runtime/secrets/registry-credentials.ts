/**
 * Credentials of a registry from the secret store: the secret `registry.<host>` holds `user:password`, or JSON with
 * `username` and `password`. `<host>` is as an image name writes it: `ghcr.io`, `localhost:5000`, `docker.io`.
 */
import { coded } from '../../protocols/errors.ts';
import type { Call, Ports } from '../../protocols/ports.ts';
import type { SealedValue, SecretRecord } from '../../protocols/security/model.ts';
import { isSecretName, presentVersion, sealedName, versionText } from '../../protocols/security/secrets.ts';
import { keys } from '../../protocols/state/keys.ts';

export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

/** `undefined` when there is no such secret. HM-SECRET-DAMAGED when its form is another, HM-SECRET-KEY, HM-STORE-DOWN. */
export async function registryCredentials(
  { store, secrets }: Pick<Ports, 'store' | 'secrets'>,
  host: string,
  call: Call,
): Promise<RegistryCredentials | undefined> {
  const name = `registry.${host}`;
  if (!isSecretName(name)) return undefined;
  const { kv } = await store.get({ key: keys.secret(name) }, call);
  const present = kv && presentVersion(kv.value as SecretRecord);
  if (!present) return undefined;
  const place = { name: sealedName(name), version: versionText(present.version) };
  const sealed = (await store.get({ key: keys.sealed(place.name, place.version) }, call)).kv?.value;
  const { content } = await secrets.open({ ...place, sealed: sealed as SealedValue }, call);
  const read = parse(Buffer.from(content, 'base64').toString('utf8').trim());
  if (read) return read;
  throw coded(
    'HM-SECRET-DAMAGED',
    `the secret ${name} holds no credentials`,
    { secret: name },
    `Set it as user:password: printf %s "$USER:$PASSWORD" | hivemind secret set ${name}`,
  );
}

function parse(text: string): RegistryCredentials | undefined {
  if (text.startsWith('{')) {
    try {
      const { username, password } = JSON.parse(text) as Partial<Record<string, unknown>>;
      return typeof username === 'string' && typeof password === 'string'
        ? { username, password }
        : undefined;
    } catch {
      return undefined;
    }
  }
  const colon = text.indexOf(':');
  return colon < 1 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}
