/** Decisions about secrets: names, versions, who uses what. Values never come here. */
import type { AppSpec } from '../apps/model.ts';
import { reason, type Reason } from '../errors.ts';
import { limits } from '../limits.ts';
import type { SecretRecord, SecretVersion, SecretView } from './model.ts';

/** `db-password`, `registry.ghcr.io`, `registry.localhost:5000` */
export function isSecretName(text: string): boolean {
  return text.length <= limits.secretNameChars && /^[A-Za-z0-9][A-Za-z0-9._:-]*$/.test(text);
}

/** The name under which the secret box seals a secret of the store; `versionText` is the version it binds. */
export const sealedName = (secret: string): string => `secrets/${secret}`;
export const versionText = (version: number): string => String(version).padStart(8, '0');

export function presentVersion(record: SecretRecord): SecretVersion | undefined {
  return record.versions.at(-1);
}

export function nextVersion(record: SecretRecord | undefined): number {
  return ((record && presentVersion(record)?.version) ?? 0) + 1;
}

/** The record with one version more; `dropped` are those beyond `limits.secretVersions`. */
export function withVersion(
  name: string,
  before: SecretRecord | undefined,
  version: SecretVersion,
): { readonly record: SecretRecord; readonly dropped: readonly number[] } {
  const all = [...(before?.versions ?? []), version];
  const cut = Math.max(0, all.length - limits.secretVersions);
  return {
    record: { name, versions: all.slice(cut) },
    dropped: all.slice(0, cut).map((one) => one.version),
  };
}

/** The secret of the store behind a config or secret of an app. */
export function externalSecrets(spec: AppSpec): readonly string[] {
  const sources = [...Object.values(spec.configs ?? {}), ...Object.values(spec.secrets ?? {})];
  const names = sources.flatMap(({ externalName }) => (externalName === undefined ? [] : [externalName]));
  return [...new Set(names)];
}

/** Services of the app that hold the secret of the store, as `shop/web`. */
export function usersIn(spec: AppSpec, secret: string): readonly string[] {
  return Object.values(spec.services)
    .filter((service) =>
      (service.files ?? []).some(({ kind, source }) => {
        const sources = kind === 'secret' ? spec.secrets : spec.configs;
        return sources?.[source]?.externalName === secret;
      }),
    )
    .map((service) => `${spec.name}/${service.name}`);
}

export function usedBy(specs: readonly AppSpec[], secret: string): readonly string[] {
  return specs.flatMap((spec) => {
    const users = usersIn(spec, secret);
    // Declared and held by nobody yet: the app still asks for it.
    return users.length > 0 || !externalSecrets(spec).includes(secret) ? users : [spec.name];
  });
}

export function secretView(record: SecretRecord, users: readonly string[]): SecretView {
  return {
    name: record.name,
    version: presentVersion(record)?.version ?? 0,
    versions: record.versions.map(({ version, sizeBytes, createdAt }) => ({ version, sizeBytes, createdAt })),
    usedBy: users,
  };
}

/** Why it cannot be removed, or nothing. */
export function removalRefusal(secret: string, users: readonly string[]): Reason | undefined {
  if (users.length === 0) return undefined;
  const app = users[0]!.split('/')[0]!;
  return reason(
    'HM-SECRET-USED',
    `the secret ${secret} is used by ${users.join(', ')}`,
    { secret, app },
    `Remove it from the app's file and deploy that, or: hivemind rm ${app}`,
  );
}

export function unknownSecret(secret: string): Reason {
  return reason(
    'HM-SECRET-UNKNOWN',
    `there is no secret ${secret}`,
    { secret },
    `hivemind secret set ${secret} --file FILE; which there are: hivemind secret ls`,
  );
}

export function tooLargeSecret(sizeBytes: number): Reason {
  return reason('HM-SECRET-LIMIT', `${sizeBytes} bytes are more than a secret or config may have`, {
    sizeBytes,
    limitBytes: limits.secretBytes,
  });
}
