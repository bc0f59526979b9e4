/**
 * An app on its way in: the contents of its configs and secrets are sealed away, and only their digests go on. What
 * comes out may be written, told and shown.
 */
import type { AppSpec } from '../../protocols/apps/model.ts';
import type { FileGrant, FileSource } from '../../protocols/apps/service-model.ts';
import { CodedError, coded } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { Call, Ports } from '../../protocols/ports.ts';
import { appFilePlace, type SealedPut } from '../../protocols/security/files.ts';
import { isSecretName, tooLargeSecret } from '../../protocols/security/secrets.ts';
import { keys } from '../../protocols/state/keys.ts';

interface SealedApp {
  readonly spec: AppSpec;
  readonly sealed: readonly SealedPut[];
}

/** HM-SECRET-NAME, HM-SECRET-LIMIT, HM-SECRET-KEY. Needs no key when no file brings a content. */
export async function sealApp(box: Ports['secrets'], spec: AppSpec, call: Call): Promise<SealedApp> {
  const sealed: SealedPut[] = [];
  const sealAll = async (kind: FileGrant['kind'], sources: Readonly<Record<string, FileSource>>) => {
    const kept: Record<string, FileSource> = {};
    for (const [source, found] of Object.entries(sources)) {
      const { content, ...rest } = found;
      kept[source] =
        content === undefined || rest.externalName !== undefined
          ? rest
          : await sealOne(kind, source, rest, content);
    }
    return kept;
  };
  const sealOne = async (
    kind: FileGrant['kind'],
    source: string,
    rest: FileSource,
    content: string,
  ): Promise<FileSource> => {
    if (!isSecretName(source))
      throw coded(
        'HM-SECRET-NAME',
        `${JSON.stringify(source.slice(0, 200))} cannot be the name of a ${kind}`,
      );
    const sizeBytes = Buffer.byteLength(content, 'base64');
    if (sizeBytes > limits.secretBytes) throw new CodedError(tooLargeSecret(sizeBytes));
    const { digest } = await box.digest({ content }, call);
    const place = appFilePlace(spec.name, kind, source, digest);
    const value = await box.seal({ ...place, content }, call);
    sealed.push({ op: 'put', key: keys.sealed(place.name, place.version), value: value.sealed });
    return { ...rest, digest };
  };
  const configs = spec.configs && (await sealAll('config', spec.configs));
  const secrets = spec.secrets && (await sealAll('secret', spec.secrets));
  return {
    spec: { ...spec, ...(configs ? { configs } : {}), ...(secrets ? { secrets } : {}) },
    sealed,
  };
}
