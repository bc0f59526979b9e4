/**
 * Configs and secrets of an app as files: which sealed value stands behind each, what a change of one means, and
 * which sealed values nobody refers to any more. Values never come here.
 */
import type { AppSpec, RevisionRecord, ServiceSpec } from '../apps/model.ts';
import type { FileGrant, FileSource } from '../apps/service-model.ts';
import { reason, type Reason } from '../errors.ts';
import { limits } from '../limits.ts';
import { keys } from '../state/keys.ts';
import { under, type Mirror } from '../state/mirror.ts';
import type { Compare, StoreOp } from '../state/model.ts';
import type { SealedPlace, SealedValue, SecretRecord } from './model.ts';
import { externalSecrets, presentVersion, sealedName, unknownSecret, versionText } from './secrets.ts';

type Kind = FileGrant['kind'];
export type SealedPut = Extract<StoreOp, { op: 'put' }>;

/** Where the secret box puts the content of an app's own config or secret: content-addressed, so that it is never overwritten. */
export function appFilePlace(app: string, kind: Kind, source: string, digest: string): SealedPlace {
  return { name: `apps/${app}/${kind}.${source}`, version: digest.slice('sha256:'.length) };
}

export const sourceOf = (spec: AppSpec, kind: Kind, source: string): FileSource | undefined =>
  (kind === 'secret' ? spec.secrets : spec.configs)?.[source];

/** `undefined` while there is no value: the node says so when it needs it. */
function placeOf(spec: AppSpec, mirror: Mirror, { kind, source }: FileGrant): SealedPlace | undefined {
  const found = sourceOf(spec, kind, source);
  if (found?.externalName !== undefined) {
    const record = mirror.rows[keys.secret(found.externalName)]?.value as SecretRecord | undefined;
    const present = record && presentVersion(record);
    return present && { name: sealedName(found.externalName), version: versionText(present.version) };
  }
  return found?.digest === undefined ? undefined : appFilePlace(spec.name, kind, source, found.digest);
}

/** The service with the sealed value of each of its files. The same object for the same answer. */
export function withPlaces(spec: AppSpec, mirror: Mirror, service: ServiceSpec): ServiceSpec {
  const { files } = service;
  if (!files || files.length === 0) return service;
  const places = files.map((file) => placeOf(spec, mirror, file));
  const text = JSON.stringify(places);
  const before = resolved.get(service);
  if (before?.text === text) return before.service;
  const held = files.map((file, at) => ({ ...file, ...(places[at] ? { held: places[at] } : {}) }));
  const made = { ...service, files: held };
  resolved.set(service, { text, service: made });
  return made;
}

/** Every look at an app asks this of all of its services, and a new object would be hashed anew. */
const resolved = new WeakMap<ServiceSpec, { readonly text: string; readonly service: ServiceSpec }>();

/** What of the files makes a container another one: all of it, unless a change of content is to be lived with. */
export function filesThatCount({
  files,
  onSecretChange = 'restart',
}: ServiceSpec): readonly FileGrant[] | undefined {
  if (onSecretChange === 'restart') return files;
  return files?.map(({ held: _held, ...rest }) => rest);
}

export const sameFiles = (a: ServiceSpec, b: ServiceSpec): boolean =>
  JSON.stringify(a.files) === JSON.stringify(b.files);

/** Why the app cannot be deployed: a value that it refers to is nowhere. */
export function missingValue(
  mirror: Mirror,
  spec: AppSpec,
  brought: readonly SealedPut[],
): Reason | undefined {
  const absent = externalSecrets(spec).find((name) => !mirror.rows[keys.secret(name)]);
  if (absent !== undefined) return unknownSecret(absent);
  const lost = ownPlaces(spec).find(
    ({ key }) => !mirror.rows[key] && !brought.some((put) => put.key === key),
  );
  return (
    lost &&
    reason(
      'HM-SECRET-UNKNOWN',
      `the content of the ${lost.kind} ${lost.source} of ${spec.name} is not in the store`,
      { app: spec.name, source: lost.source },
      'Deploy the app from its file: hivemind deploy -f compose.yaml',
    )
  );
}

function ownPlaces(spec: AppSpec) {
  return (['config', 'secret'] as const).flatMap((kind) =>
    Object.entries((kind === 'secret' ? spec.secrets : spec.configs) ?? {}).flatMap(([source, found]) => {
      if (found.externalName !== undefined || found.digest === undefined) return [];
      const { name, version } = appFilePlace(spec.name, kind, source, found.digest);
      return [{ kind, source, key: keys.sealed(name, version) }];
    }),
  );
}

/** Secrets of the store that it asks for are still there when it is written; a rotation does not matter. */
export function externalGuards(mirror: Mirror, spec: AppSpec): readonly Compare[] {
  return externalSecrets(spec).map((name) => {
    const key = keys.secret(name);
    return { key, field: 'createRevision', equals: mirror.rows[key]?.createRevision ?? 0 };
  });
}

/** Sealed values of the app that neither the specification nor any of its revisions refers to; some at a time. */
export function unreferred(mirror: Mirror, spec: AppSpec): readonly StoreOp[] {
  const rows = under(mirror, keys.sealedUnder(`apps/${spec.name}`));
  if (rows.length === 0) return [];
  const kept = under<RevisionRecord>(mirror, keys.revisions(spec.name)).map((row) => row.value.spec);
  const referred = new Set([spec, ...kept].flatMap(ownPlaces).map(({ key }) => key));
  return rows
    .filter(({ key }) => !referred.has(key))
    .slice(0, limits.appFilesForgotten)
    .map(({ key }) => ({ op: 'delete', key }));
}

/** What is brought is written in one transaction, or refused whole. */
export function tooMuchBrought(app: string, brought: readonly SealedPut[]): Reason | undefined {
  const bytes = brought.reduce((sum, { value }) => sum + (value as SealedValue).body.length, 0);
  if (brought.length <= limits.appFiles && bytes <= limits.appFileBytes) return undefined;
  return reason(
    'HM-SECRET-LIMIT',
    `${brought.length} new configs and secrets of ${bytes} bytes, sealed, are more than one deploy may bring`,
    { app, limitFiles: limits.appFiles, limitBytes: limits.appFileBytes },
    'Make them smaller, mount what is no secret as a volume, or set secrets first: hivemind secret set NAME --file FILE',
  );
}
