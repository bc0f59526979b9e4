/**
 * Images as a user has them: pulled from a registry that is slow or wants a password, pinned, exported and collected,
 * by the bundles and on a containerd of their own.
 */
import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ImageInfo } from '../../protocols/containers/model.ts';
import { freePort, getJson, missingForDaemon, startDaemon, type TestDaemon } from '../kit/node/daemon.ts';
import { startGatedRegistry, type GatedRegistry } from '../kit/registries/gated-registry.ts';
import { missingForRegistry, startRegistry, type TestRegistry } from '../kit/registries/registry.ts';
import { startTokenServer, type TokenServer } from '../kit/registries/token-server.ts';
import { until } from '../kit/until.ts';

const missing = missingForDaemon() ?? missingForRegistry();
if (missing) console.log(`skipped: ${missing}`);

const run = promisify(execFile);
const archive = resolve(import.meta.dirname, '../../.cache/images/hello-web.tar');
const login = 'anna:a long one';

describe.skipIf(missing !== undefined)('images', () => {
  let daemon: TestDaemon;
  let registry: TestRegistry;
  let slow: GatedRegistry;
  let guarded: TestRegistry;
  let tokens: TokenServer;
  let port: number;
  /** The same files in other layers. */
  let pushZstd: (name: string) => Promise<string>;
  const digests = { gzip: '', zstd: '' };

  const deploy = async (image: string, ...more: readonly string[]) => {
    const file = join(daemon.dir, 'pulled.yaml');
    const lines = ['name: pulled', 'services:', '  web:', `    image: ${image}`];
    await writeFile(file, [...lines, `    ports: ['127.0.0.1:${port}:8000']`, ...more, ''].join('\n'));
    return daemon.cli('deploy', '-f', file);
  };
  const images = async (): Promise<readonly ImageInfo[]> =>
    (await getJson<{ images: ImageInfo[] }>(daemon.socketPath, '/v1/images')).images;
  const visit = async (): Promise<void> => {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`, { headers: { connection: 'close' } });
    await answer.arrayBuffer();
    expect(answer.status).toBe(200);
  };
  const first = async () => (await daemon.slots()).find(({ slot }) => slot === 'pulled/web.1');

  beforeAll(async () => {
    registry = await startRegistry();
    slow = await startGatedRegistry(registry.host);
    digests.gzip = await registry.push(archive, 'web:1');
    const packed = `dir:${join(registry.dir, 'zstd')}`;
    const flags = ['--dest-compress', '--dest-compress-format', 'zstd'];
    await run('skopeo', ['--insecure-policy', 'copy', ...flags, `oci-archive:${archive}`, packed]);
    pushZstd = (name) => registry.push(packed, name, '--preserve-digests');
    digests.zstd = await pushZstd('web:2');
    tokens = await startTokenServer(registry.dir, login);
    guarded = await startRegistry(tokens.auth);
    await guarded.push(archive, 'private/web:1');
    const plain = { plainHttp: true };
    daemon = await startDaemon({
      registries: { [registry.host]: plain, [slow.host]: plain, [guarded.host]: plain },
    });
    port = await freePort();
  });
  afterAll(async () => {
    await daemon?.end();
    await slow?.close();
    await guarded?.stop();
    await tokens?.close();
    await registry?.stop();
  });

  test('pull: a line for each phase, then the name and what it stands for', async () => {
    const { code, stdout, stderr } = await daemon.cli('image', 'pull', `${registry.host}/web:1`);
    expect([code, stdout]).toEqual([0, `${registry.host}/web:1@${digests.gzip}\n`]);
    const phases = stderr.split('\n').flatMap((line) => /^\S+ {2}([a-z]+)/.exec(line)?.[1] ?? []);
    expect(phases).toEqual(expect.arrayContaining(['pulling', 'done']));
    expect(phases.at(-1)).toBe('done');
  });

  test('a deploy over what serves: the pull hangs half way, and no visitor notices; then the new one comes', async () => {
    expect(await deploy(`${registry.host}/web:1`)).toMatchObject({ code: 0 });
    slow.shut();
    const deployed = deploy(`${slow.host}/web:2`);
    await until('layers are held back', () => Promise.resolve(slow.held > 0));
    await until('the slot says how far the pull is', async () => {
      await visit();
      return Number((await first())?.next?.reason?.evidence['doneBytes']) > 0;
    });
    for (let visits = 0; visits < 200; visits++) await visit();
    expect(await first()).toMatchObject({
      ...{ image: `${registry.host}/web:1`, phase: 'running', readiness: 'ready', revision: 1 },
      next: { image: `${slow.host}/web:2`, reason: { code: 'HM-IMAGE-PULLING' } },
    });
    // A daemon that starts anew serves on, and goes on pulling.
    await daemon.stop('SIGKILL');
    await daemon.start();
    await until('it pulls again', async () => {
      await visit();
      return (await first())?.next?.reason?.code === 'HM-IMAGE-PULLING';
    });
    slow.open();
    const { code, stderr } = await deployed;
    expect(stderr).toContain('HM-IMAGE-PULLING');
    expect(code).toBe(0);
    await daemon.converged('pulled');
    expect(await first()).toMatchObject({ image: `${slow.host}/web:2`, revision: 2 });
    await visit();
  });

  test('what no registry has is refused, and what serves serves on', async () => {
    const { code, stderr } = await deploy(`${registry.host}/web:none`);
    expect(stderr).toContain('HM-IMAGE-MISSING');
    expect(code).toBe(6);
    await visit();
  });

  test('a tag that moves: what runs stays what was deployed, until a deploy asks again', async () => {
    const image = `${registry.host}/web:moving`;
    await registry.push(archive, 'web:moving');
    expect(await deploy(image, '    pull_policy: always')).toMatchObject({ code: 0 });
    const before = (await first())!;
    await pushZstd('web:moving');
    expect(await daemon.cli('restart', 'pulled')).toMatchObject({ code: 0 });
    expect(await first()).toMatchObject({ specHash: before.specHash, revision: before.revision });
    const pinned = async (digest: string) => {
      const address = ['--address', daemon.containerdSocket(), '-n', daemon.containerdNamespace];
      const { stdout } = await run('ctr', [...address, 'containers', 'ls']);
      expect(stdout).toContain(digest);
    };
    await pinned(digests.gzip);
    expect(await deploy(image, '    pull_policy: always')).toMatchObject({ code: 0 });
    expect((await first())!.revision).toBe(before.revision + 1);
    await pinned(digests.zstd);
  });

  test('a registry that wants a password: the secret registry.HOST is used', async () => {
    const image = `${guarded.host}/private/web:1`;
    const without = await daemon.cli('image', 'pull', image);
    expect(without.stderr).toContain('HM-REGISTRY-AUTH');
    const file = join(daemon.dir, 'login');
    await writeFile(file, login);
    expect(await daemon.cli('secret', 'set', `registry.${guarded.host}`, '--file', file)).toMatchObject({
      code: 0,
    });
    expect(await daemon.cli('image', 'pull', image)).toMatchObject({ code: 0 });
    expect(tokens.asked.at(-1)).toBe(`Basic ${Buffer.from(login).toString('base64')}`);
    expect(daemon.log()).not.toContain('a long one');
  });

  test.each([
    ['oci', 'oci-archive'],
    ['docker', 'docker-archive'],
  ])('exports as %s by command and over HTTP; skopeo reads both', async (format, transport) => {
    const name = `${registry.host}/web:1`;
    const files = [join(daemon.dir, `${format}-cli.tar`), join(daemon.dir, `${format}-http.tar`)] as const;
    const flags = ['--format', format, '--output', files[0]];
    expect(await daemon.cli('image', 'export', name, ...flags)).toMatchObject({ code: 0 });
    const path = `/v1/images/${encodeURIComponent(name)}/export?format=${format}`;
    const asked = request({ socketPath: daemon.socketPath, path });
    asked.end();
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([200, 'application/x-tar']);
    await pipeline(answer, createWriteStream(files[1]));
    for (const file of files) {
      const { stdout } = await run('skopeo', ['inspect', `${transport}:${file}`]);
      expect(JSON.parse(stdout)).toMatchObject({ Architecture: 'amd64', Os: 'linux' });
    }
  });

  test('a disk that is short: what nothing wants goes, what runs and what is kept stays', async () => {
    const spare = `${guarded.host}/private/web:1`;
    expect((await images()).map(({ name }) => name)).toContain(spare);
    await daemon.stop('SIGTERM');
    await daemon.start(['--images-disk-percent', '1']);
    await until('the spare image is gone', async () => !(await images()).some(({ name }) => name === spare));
    const left = (await images()).map(({ name }) => name);
    expect(left).toEqual(expect.arrayContaining([`${registry.host}/web:1`, `${slow.host}/web:2`]));
    await visit();
    expect(await daemon.cli('restart', 'pulled')).toMatchObject({ code: 0 });
    await visit();
  });
});
