/** Pulls from Debian's docker-registry, filled by skopeo: forms, compressions, platforms, logins, pins. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PullProgress } from '../../../protocols/containers/model.ts';
import { writeBusyboxArchive } from '../../kit/busybox-image.ts';
import { missingForContainerd, startContainerd, type TestContainerd } from '../../kit/containerd.ts';
import { newCall, refusal } from '../../kit/port-call.ts';
import { missingForRegistry, startRegistry, type TestRegistry } from '../../kit/registries/registry.ts';
import { startTokenServer, type TokenServer } from '../../kit/registries/token-server.ts';
import { pullRig, type PullRig, type PullRigOptions } from './rig.ts';

const missing = missingForContainerd() ?? missingForRegistry();
const whole = { blobs: 4, snapshots: 2, ingests: 0, leases: 0 };

describe.skipIf(missing)(`docker-registry${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let containerd: TestContainerd;
  let registry: TestRegistry;
  const rigs: PullRig[] = [];
  const rig = (options: Partial<PullRigOptions> = {}): PullRig => {
    const made = pullRig(containerd, { registries: { [registry.host]: { plainHttp: true } }, ...options });
    rigs.push(made);
    return made;
  };
  const archive = async (name: string, marker: string, architecture?: string) => {
    const path = join(containerd.dir, `${name.replaceAll('/', '-')}-${architecture ?? 'amd64'}.tar`);
    await writeBusyboxArchive(path, { name, marker, ...(architecture ? { architecture } : {}) });
    return path;
  };

  beforeAll(async () => {
    containerd = await startContainerd();
    registry = await startRegistry();
  });
  afterAll(async () => {
    for (const made of rigs) made.close();
    await registry.stop();
    await containerd.stop();
  });

  it.each([
    ['oci', []],
    ['docker', ['--format', 'v2s2']],
    ['zstd', ['--dest-compress-format', 'zstd', '--dest-compress']],
  ])('pulls an image of the form %s, whole and once', async (form, flags) => {
    const digest = await registry.push(await archive(form, form), `forms/${form}:1`, ...flags);
    const { source, kept } = rig();
    const told: PullProgress[] = [];
    source.onPull((progress) => told.push(progress));
    const image = await source.ensure({ image: `${registry.host}/forms/${form}:1` }, newCall());
    expect(image).toMatchObject({
      name: `${registry.host}/forms/${form}:1`,
      digest,
      platform: 'linux/amd64',
    });
    expect(await kept()).toEqual(whole);
    expect(told.map(({ phase }) => phase).filter((phase, at, all) => phase !== all[at - 1])).toEqual([
      'resolving',
      'pulling',
      'unpacking',
      'done',
    ]);
    const last = told.at(-1)!;
    expect(last.doneBytes).toBe(last.totalBytes);
    expect(last.layers).toHaveLength(2);
    told.length = 0;
    await source.ensure({ image: `${registry.host}/forms/${form}:1` }, newCall());
    expect(told).toEqual([]);
  });

  it('pulls one platform of an index, and another beside it when it is asked for', async () => {
    const list = join(containerd.dir, 'index');
    await mkdir(list, { recursive: true });
    for (const architecture of ['amd64', 'arm64'])
      await registry.push(await archive('multi', 'm', architecture), `multi:${architecture}`);
    const digest = await pushIndex(registry, 'multi', ['amd64', 'arm64']);
    const { source, kept } = rig();
    const image = `${registry.host}/multi:all`;
    expect(await source.ensure({ image }, newCall())).toMatchObject({ digest, platform: 'linux/amd64' });
    expect(await kept()).toEqual({ ...whole, blobs: 5 });
    const foreign = await source.ensure({ image, platform: 'linux/arm64' }, newCall());
    expect(foreign).toMatchObject({ digest, platform: 'linux/arm64' });
    // Its layers are the same; manifest and configuration are its own.
    expect(await kept()).toEqual({ ...whole, blobs: 7 });
    expect(await source.ensure({ image }, newCall())).toMatchObject({ platform: 'linux/amd64' });
    const reason = await refusal(source.ensure({ image, platform: 'linux/s390x' }, newCall()));
    expect(reason.code).toBe('HM-IMAGE-PLATFORM');
    expect(reason.message).toContain('linux/arm64');
  });

  it('shares one pull among all who want the same, and layers among pulls', async () => {
    await registry.push(await archive('shared', 's'), 'shared:1');
    await registry.push(await archive('shared', 's'), 'shared:2');
    const { source, kept } = rig();
    const told: PullProgress[] = [];
    source.onPull((progress) => told.push(progress));
    const names = ['1', '1', '1', '2'].map((tag) => `${registry.host}/shared:${tag}`);
    await Promise.all(names.map((image) => source.ensure({ image }, newCall())));
    expect(told.filter(({ phase }) => phase === 'done')).toHaveLength(2);
    expect(await kept()).toEqual(whole);
  });

  it('asks the registry when the policy says so, and keeps to a digest', async () => {
    const image = `${registry.host}/moving:1`;
    const old = await registry.push(await archive('moving', 'old'), 'moving:1');
    const { source } = rig();
    expect((await refusal(source.ensure({ image, policy: { when: 'never' } }, newCall()))).code).toBe(
      'HM-IMAGE-MISSING',
    );
    await source.ensure({ image, digest: old }, newCall());
    const fresh = await registry.push(await archive('moving', 'new'), 'moving:1');
    const digestBy = async (policy: Parameters<typeof source.resolve>[0]['policy']) =>
      (await source.resolve({ image, ...(policy ? { policy } : {}) }, newCall())).digest;
    expect(await digestBy(undefined)).toBe(old);
    expect(await digestBy({ when: 'older', thanMs: 3_600_000 })).toBe(old);
    expect(await digestBy({ when: 'older', thanMs: 0 })).toBe(fresh);
    expect(await digestBy({ when: 'always' })).toBe(fresh);
    expect((await source.ensure({ image }, newCall())).digest).toBe(old);
    expect((await source.ensure({ image, policy: { when: 'always' } }, newCall())).digest).toBe(fresh);
    // Both are here: the tag stands for the new one, the pin for the old one.
    expect((await source.ensure({ image, digest: old, policy: { when: 'never' } }, newCall())).digest).toBe(
      old,
    );
    const names = (await source.list({}, newCall())).images.map(({ name }) => name);
    expect(names).toEqual([image, `${registry.host}/moving@${old}`].sort());
    await source.remove({ image: `${registry.host}/moving@${old}` }, newCall());
    await source.ensure({ image, digest: old }, newCall());
    expect((await source.ensure({ image }, newCall())).digest).toBe(fresh);
  });

  it.each([
    ['unknown names', (host: string) => `${host}/nowhere:1`, 'HM-IMAGE-MISSING'],
    [
      'digests it does not have',
      (host: string) => `${host}/forms/oci@sha256:${'0'.repeat(64)}`,
      'HM-IMAGE-MISSING',
    ],
  ])('refuses %s with a code, and leaves nothing behind', async (_what, name, code) => {
    const { source, kept } = rig();
    const reason = await refusal(source.ensure({ image: name(registry.host) }, newCall()));
    expect(reason.code).toBe(code);
    expect(await kept()).toEqual({ blobs: 0, snapshots: 0, ingests: 0, leases: 0 });
  });

  it('does not speak plain HTTP without a setting', async () => {
    const { source } = rig({ registries: {} });
    const reason = await refusal(source.ensure({ image: `${registry.host}/forms/oci:1` }, newCall()));
    expect(reason.code).toBe('HM-REGISTRY-UNREACHABLE');
  });

  it('asks mirrors first, and the registry itself for what they lack', async () => {
    const mirror = await startRegistry();
    try {
      const digest = await mirror.push(await archive('mirrored', 'm'), 'library/mirrored:1');
      await registry.push(await archive('mirrored', 'other'), 'library/only:1');
      const registries = {
        'docker.io': { mirrors: [`http://${mirror.host}`, `http://${registry.host}`] },
      };
      const { source } = rig({ registries });
      expect(await source.ensure({ image: 'mirrored:1' }, newCall())).toMatchObject({
        name: 'mirrored:1',
        digest,
      });
      expect(await source.ensure({ image: 'only:1' }, newCall())).toMatchObject({ name: 'only:1' });
    } finally {
      await mirror.stop();
    }
  });

  describe('with a login', () => {
    let tokens: TokenServer;
    let guarded: TestRegistry;
    const login = 'ann:s3cret:word';
    beforeAll(async () => {
      tokens = await startTokenServer(containerd.dir, login);
      guarded = await startRegistry(tokens.auth);
      await guarded.push(await archive('box', 'token'), 'private/box:1');
      await guarded.push(await archive('box', 'token'), 'public/box:1');
    });
    afterAll(async () => {
      await guarded.stop();
      await tokens.close();
    });
    const privateRig = (credentials: PullRigOptions['credentials'] = {}) =>
      rig({ registries: { [guarded.host]: { plainHttp: true } }, credentials });
    const auth = Buffer.from(login).toString('base64');

    it('gets a token as anybody', async () => {
      const { source } = privateRig();
      await source.ensure({ image: `${guarded.host}/public/box:1` }, newCall());
      const reason = await refusal(source.ensure({ image: `${guarded.host}/private/box:1` }, newCall()));
      expect(reason.code).toBe('HM-REGISTRY-AUTH');
      expect(reason.hint).toContain(`docker login ${guarded.host}`);
    });

    it("uses Docker's config file, its helpers and the node's secrets", async () => {
      const dockerConfig = join(containerd.dir, 'config.json');
      const image = `${guarded.host}/private/box:1`;
      await writeFile(dockerConfig, JSON.stringify({ auths: { [guarded.host]: { auth } } }));
      expect((await privateRig({ dockerConfig }).source.ensure({ image }, newCall())).name).toBe(image);

      const secret = (name: string) =>
        Promise.resolve(name === `registry.${guarded.host}` ? login : undefined);
      expect((await privateRig({ secret }).source.ensure({ image }, newCall())).name).toBe(image);

      const helper = join('/usr/local/bin', 'docker-credential-hivemind-test');
      const answer = JSON.stringify({ ServerURL: guarded.host, Username: 'ann', Secret: 's3cret:word' });
      await writeFile(
        helper,
        `#!/bin/sh\nread -r server\n[ "$server" = "${guarded.host}" ] && echo '${answer}'\n`,
      );
      await chmod(helper, 0o755);
      try {
        await writeFile(dockerConfig, JSON.stringify({ credHelpers: { [guarded.host]: 'hivemind-test' } }));
        expect((await privateRig({ dockerConfig }).source.ensure({ image }, newCall())).name).toBe(image);
      } finally {
        await promisify(execFile)('rm', [helper]);
      }
    });

    it('says when a login is wrong, and never the password', async () => {
      const secret = () => Promise.resolve('ann:wrong-password');
      const reason = await refusal(
        privateRig({ secret }).source.ensure({ image: `${guarded.host}/private/box:1` }, newCall()),
      );
      expect(reason.code).toBe('HM-REGISTRY-AUTH');
      expect(JSON.stringify(reason)).not.toContain('wrong-password');
    });
  });
});

/** An index over tags that are there, under the tag `all`; answers its digest. */
async function pushIndex(registry: TestRegistry, name: string, tags: readonly string[]): Promise<string> {
  const url = (reference: string) => `http://${registry.host}/v2/${name}/manifests/${reference}`;
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifests = await Promise.all(
    tags.map(async (architecture) => {
      const answer = await fetch(url(architecture), { headers: { accept: mediaType } });
      const size = (await answer.arrayBuffer()).byteLength;
      const digest = answer.headers.get('docker-content-digest');
      return { mediaType, digest, size, platform: { os: 'linux', architecture } };
    }),
  );
  const type = 'application/vnd.oci.image.index.v1+json';
  const body = JSON.stringify({ schemaVersion: 2, mediaType: type, manifests });
  const answer = await fetch(url('all'), { method: 'PUT', body, headers: { 'content-type': type } });
  return answer.headers.get('docker-content-digest')!;
}
