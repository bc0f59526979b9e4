/**
 * Answers of registries, logins and image archives, mutated: each is read, or refused in words or with a code; nothing
 * else is thrown, nothing leads where it must not, nothing passes a bound.
 */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  rangeStart,
  redirectOf,
  retryAfterMs,
  verdictOf,
} from '../../../protocols/containers/registry/attempts.ts';
import {
  authenticate,
  parseChallenges,
  readToken,
} from '../../../protocols/containers/registry/challenge.ts';
import {
  credentialSource,
  helperCredential,
  secretCredential,
} from '../../../protocols/containers/registry/docker-config.ts';
import { mediaTypeOf, readRegistryDocument } from '../../../protocols/containers/registry/documents.ts';
import { catalogue, CodedError } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import type { Random } from '../../../protocols/ports.ts';
import { checkArchive } from '../../../runtime/drivers/container/containerd/images/archive.ts';
import {
  childrenOf,
  LayoutError,
  namedDescriptors,
  readLayout,
} from '../../../runtime/drivers/container/containerd/images/layout.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import { fuzzFolder, type Outcome } from '../target.ts';
import { mutatedTar, mutatedText, mutatedTree, pick, type TarFile } from './mutate.ts';

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const type = 'application/vnd.oci.image';
const file = (name: string, content: unknown): TarFile => ({
  name,
  body: Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content)),
});
const described = (mediaType: string, { body }: TarFile) => ({
  mediaType,
  digest: `sha256:${sha256(body)}`,
  size: body.length,
});

const layer = file('layer.tar', Buffer.alloc(1_024));
const diffId = `sha256:${sha256(layer.body)}`;
const config = file('config.json', {
  ...{ os: 'linux', architecture: 'amd64', config: { Env: ['A=b'], Cmd: ['/bin/true'] } },
  rootfs: { type: 'layers', diff_ids: [diffId] },
});
const manifestTree = {
  ...{ schemaVersion: 2, mediaType: `${type}.manifest.v1+json` },
  config: described(`${type}.config.v1+json`, config),
  layers: [described(`${type}.layer.v1.tar`, layer)],
};
const manifest = file('manifest', manifestTree);
const entry = {
  ...described(`${type}.manifest.v1+json`, manifest),
  platform: { os: 'linux', architecture: 'amd64', variant: 'v8' },
};
const indexTree = {
  schemaVersion: 2,
  manifests: [entry, { ...entry, platform: { os: 'unknown', architecture: 'unknown' } }],
};
const named = {
  ...indexTree,
  manifests: [{ ...entry, annotations: { 'io.containerd.image.name': 'box:1' } }],
};
const blob = ({ body }: TarFile): TarFile => file(`blobs/sha256/${sha256(body)}`, body);
const oci = [blob(layer), blob(config), blob(manifest), file('index.json', named)];
const saved = [{ Config: 'config.json', RepoTags: ['box:1'], Layers: ['layer.tar'] }];
const docker = [layer, config, file('manifest.json', saved)];

const headers: readonly string[] = [
  'Bearer realm="https://t/token",service="r",scope="repository:a:pull", Basic realm="x"',
  'bytes 5-9/10',
  '120',
  'Wed, 25 Nov 2026 22:00:00 GMT',
  'https://cdn.example/blob?sig=a%2Fb',
  '/v2/other',
  'user:password',
];
const logins: readonly unknown[] = [
  { auths: { 'r.example': { auth: 'YTpi' }, 'https://index.docker.io/v1/': { identitytoken: 'x' } } },
  { credHelpers: { 'r.example': 'pass' }, credsStore: 'secretservice' },
  { token: 'abc', access_token: 'def', expires_in: 60 },
  { Username: '<token>', Secret: 's', ServerURL: 'r.example' },
];

const isCode = (code: string): boolean => Object.hasOwn(catalogue, code);

function fuzzDocument(random: Random): Outcome {
  const tree = mutatedTree(pick(random, [manifestTree, indexTree, named]), random);
  const text = JSON.stringify(tree) ?? '';
  const bytes = Buffer.from(random.next() < 0.3 ? mutatedText(text, random) : text);
  const read = readRegistryDocument(bytes);
  mediaTypeOf(bytes, pick(random, headers));
  if (read.kind === 'refused') return { outcome: 'document refused' };
  if (read.kind === 'index') {
    const fits = read.entries.length <= limits.imageIndexEntries;
    return { outcome: 'index', ...(fits ? {} : { finding: 'an index beyond its bound' }) };
  }
  const total = read.layers.reduce((sum, { size }) => sum + size, 0);
  const fits = read.layers.length <= limits.imageLayers && total <= limits.imageArchiveBytes;
  return { outcome: 'manifest', ...(fits ? {} : { finding: 'a manifest beyond its bound' }) };
}

function fuzzHeader(random: Random): Outcome {
  const text = mutatedText(pick(random, headers), random);
  const known = { username: 'ann', password: 'p' };
  const how = authenticate(parseChallenges(text), 'a/b', known, false);
  if (how.by === 'token' && !how.request.url.startsWith('https:'))
    return { outcome: 'token', finding: `a password would go in the clear: ${text}` };
  const now = { attempt: 1, nowMs: 0, chance: 0.5 };
  const verdict = verdictOf(
    { kind: 'status', status: pick(random, [200, 401, 429, 503]), retryAfter: text },
    now,
  );
  if (verdict.do === 'refuse' && !isCode(verdict.code)) return { outcome: 'header', finding: verdict.code };
  if (verdict.do === 'retry' && !(verdict.afterMs >= 0 && verdict.afterMs <= limits.registryRetryAfterMs))
    return { outcome: 'header', finding: `a wait of ${verdict.afterMs} ms for ${text}` };
  const wait = retryAfterMs(text, 0);
  if (wait !== undefined && !(wait >= 0)) return { outcome: 'header', finding: `a wait of ${wait} ms` };
  const led = redirectOf('https://r.example/v2/', text, 0, false);
  if ('to' in led && new URL(led.to).protocol !== 'https:')
    return { outcome: 'header', finding: `led away from TLS: ${led.to}` };
  const start = rangeStart(206, text, 5);
  if (start !== undefined && start !== 5) return { outcome: 'header', finding: `a range from ${start}` };
  return { outcome: `header ${how.by}` };
}

function fuzzLogin(random: Random): Outcome {
  const tree = mutatedTree(pick(random, logins), random);
  const token = readToken(tree);
  if (token !== undefined && /[^\x21-\x7e]/.test(token))
    return { outcome: 'login', finding: 'a token that ends a header' };
  const source = credentialSource(tree, pick(random, ['r.example', 'docker.io', '__proto__']));
  if (source.from === 'helper' && /[^A-Za-z0-9._-]/.test(source.program))
    return { outcome: 'login', finding: `the program ${source.program} would be run` };
  helperCredential(tree);
  secretCredential(JSON.stringify(tree) ?? '');
  return { outcome: `login ${source.from}` };
}

async function fuzzArchive(random: Random, path: string): Promise<Outcome> {
  await writeFile(path, await mutatedTar(pick(random, [oci, docker]), random));
  try {
    const contents = await checkArchive(path, new AbortController().signal);
    for (const [, entries] of namedDescriptors(contents.index)) {
      const layout = await readLayout(
        entries,
        async (digest) => contents.documents.get(digest),
        'linux/amd64',
      );
      childrenOf(contents.documents.get(layout.target.digest));
    }
    return { outcome: 'archive read' };
  } catch (thrown) {
    if (thrown instanceof LayoutError) return { outcome: 'archive refused' };
    if (thrown instanceof CodedError && thrown.reason.code === 'HM-IMAGE-ARCHIVE')
      return { outcome: 'archive refused' };
    throw thrown;
  }
}

let folder: Promise<string> | undefined;

/** One of so many is an archive, which is written to a file. */
const archiveEach = 16;

export async function fuzzRegistry(seed: number): Promise<Outcome> {
  const random = seededRandom(seed);
  const room = await (folder ??= fuzzFolder('registry'));
  try {
    if (seed % archiveEach === 0) return await fuzzArchive(random, join(room, 'archive.tar'));
    return pick(random, [fuzzDocument, fuzzHeader, fuzzLogin])(random);
  } catch (thrown) {
    return { outcome: 'thrown', finding: String((thrown as Error).stack ?? thrown) };
  }
}
