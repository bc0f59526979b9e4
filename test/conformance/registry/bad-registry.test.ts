/** Pulls from a registry that stalls, cuts, lies, refuses and sends away: a code and nothing half done, or the image. */
import { randomFillSync } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../../protocols/limits.ts';
import {
  layerOf,
  sendBlob,
  sha256,
  startBadRegistry,
  type BadRegistry,
  type Layer,
} from '../../kit/registries/bad-registry.ts';
import { missingForContainerd, startContainerd, type TestContainerd } from '../../kit/containerd.ts';
import { newCall, refusal } from '../../kit/port-call.ts';
import { until } from '../../kit/until.ts';
import { pullRig, type PullRig } from './rig.ts';

const missing = missingForContainerd();
const nothing = { blobs: 0, snapshots: 0, ingests: 0, leases: 0 };
const megabyte = 1_048_576;

describe.skipIf(missing)(`bad registries${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let containerd: TestContainerd;
  let registry: BadRegistry;
  let rig: PullRig;
  beforeAll(async () => {
    containerd = await startContainerd();
  });
  afterAll(() => containerd.stop());
  beforeEach(async () => {
    registry = await startBadRegistry();
    const registries = { [registry.host]: { plainHttp: true } };
    rig = pullRig(containerd, { registries, silenceMs: 500, unpackedBytes: 64 * megabyte });
  });
  afterEach(async () => {
    rig.close();
    await registry.close();
  });

  const random = (bytes: number) => randomFillSync(Buffer.alloc(bytes));
  const image = (name: string) => `${registry.host}/${name}:1`;
  const pull = (name: string) => rig.source.ensure({ image: image(name) }, newCall());
  const layers = (...sizes: readonly number[]): Promise<readonly Layer[]> =>
    Promise.all(sizes.map((size, at) => layerOf(`file-${at}`, random(size))));
  const isBlob = (url: string | undefined, digest: string) => url?.endsWith(`/blobs/${digest}`) ?? false;

  it('goes on where the connection was cut, byte for byte', async () => {
    const made = registry.add('cut', await layers(8 * megabyte));
    registry.misdeed = (request, response, blob) => {
      if (!blob || !isBlob(request.url, made.layers[0]!)) return false;
      sendBlob(registry, request, response, blob, 3 * megabyte);
      return true;
    };
    await pull('cut');
    const size = (await rig.source.list({}, newCall())).images[0]!.sizeBytes;
    expect(registry.asked.filter((asked) => asked.endsWith(made.layers[0]!)).length).toBe(3);
    // Nothing twice.
    expect(registry.sentBytes).toBeLessThanOrEqual(size);
  });

  it('a pull that was given up goes on from where it was', async () => {
    const made = registry.add('resumed', await layers(8 * megabyte));
    let held = true;
    registry.misdeed = (request, response, blob) => {
      if (!held || !blob || !isBlob(request.url, made.layers[0]!)) return false;
      // Most of it, then nothing more.
      response.writeHead(200, { 'content-length': blob.length });
      response.write(blob.subarray(0, 6 * megabyte));
      return true;
    };
    const waiting = new AbortController();
    const given = refusal(
      rig.source.ensure({ image: image('resumed') }, { key: 'k', signal: waiting.signal }),
    );
    await until('most of it is here', async () => {
      const { pulls } = await rig.source.pulls({}, newCall());
      return (pulls[0]?.doneBytes ?? 0) >= 4 * megabyte;
    });
    waiting.abort();
    expect((await given).code).toBe('HM-RUNTIME-TIMEOUT');
    expect((await rig.source.pulls({}, newCall())).pulls).toEqual([]);
    held = false;
    registry.sentBytes = 0;
    await pull('resumed');
    expect(registry.sentBytes).toBeLessThan(5 * megabyte);
    expect((await rig.kept()).leases).toBe(0);
  });

  it('asks again when it falls silent', async () => {
    const made = registry.add('silent', await layers(2 * megabyte));
    let stalls = 1;
    registry.misdeed = (request, response, blob) => {
      if (!blob || !isBlob(request.url, made.layers[0]!) || stalls-- <= 0) return false;
      response.writeHead(200, { 'content-length': blob.length });
      response.write(blob.subarray(0, megabyte));
      return true;
    };
    await pull('silent');
    expect(registry.asked.filter((asked) => asked.endsWith(made.layers[0]!)).length).toBe(2);
  });

  it('refuses one that stays silent, in the end', async () => {
    registry.misdeed = () => true;
    expect((await refusal(pull('mute'))).code).toBe('HM-REGISTRY-UNREACHABLE');
    expect(registry.asked).toHaveLength(limits.registryAttempts);
  });

  it.each([
    ['another content', (blob: Buffer) => Buffer.from(blob).fill(7, 100, 200)],
    ['less', (blob: Buffer) => blob.subarray(0, 1_000)],
    ['more', (blob: Buffer) => Buffer.concat([blob, blob])],
  ])('refuses a layer that has %s, and leaves nothing behind', async (what, lie) => {
    const made = registry.add('liar', await layers(100_000, 200_000));
    registry.misdeed = (request, response, blob) => {
      if (!blob || !isBlob(request.url, made.layers[1]!)) return false;
      response.end(lie(blob));
      return true;
    };
    const { code } = await refusal(pull('liar'));
    expect(code).toBe(what === 'less' ? 'HM-REGISTRY-UNREACHABLE' : 'HM-IMAGE-DIGEST');
    expect((await rig.source.list({}, newCall())).images).toEqual([]);
    if (what !== 'less') expect(await rig.kept()).toEqual(nothing);
    registry.misdeed = () => false;
    await pull('liar');
    expect(await rig.kept()).toEqual({ blobs: 4, snapshots: 2, ingests: 0, leases: 0 });
  });

  it('refuses a manifest that is not what its digest says', async () => {
    registry.add('forged', await layers(1_000));
    const asked = `${registry.host}/forged@sha256:${'a'.repeat(64)}`;
    registry.misdeed = (request, response) => {
      if (!request.url?.includes('/manifests/')) return false;
      response.end(JSON.stringify({ schemaVersion: 2, config: {}, layers: [] }));
      return true;
    };
    expect((await refusal(rig.source.ensure({ image: asked }, newCall()))).code).toBe('HM-IMAGE-DIGEST');
    expect(await rig.kept()).toEqual(nothing);
  });

  it('waits as long as Retry-After says, and not for ever', async () => {
    registry.add('busy', await layers(1_000));
    let busy = 2;
    registry.misdeed = (_request, response) => {
      if (busy-- <= 0) return false;
      response.writeHead(429, { 'retry-after': '0' }).end();
      return true;
    };
    await pull('busy');
    registry.misdeed = (_request, response) => {
      response.writeHead(429, { 'retry-after': '86400' }).end();
      return true;
    };
    registry.asked.length = 0;
    expect((await refusal(pull('busier'))).code).toBe('HM-REGISTRY-BUSY');
    expect(registry.asked).toHaveLength(1);
  });

  it('tries again after 5xx, a bounded number of times', async () => {
    registry.add('ill', await layers(1_000));
    let ill = 2;
    registry.misdeed = (_request, response) => {
      if (ill-- <= 0) return false;
      response.writeHead(502).end();
      return true;
    };
    await pull('ill');
    ill = Infinity;
    registry.asked.length = 0;
    expect((await refusal(pull('worse'))).code).toBe('HM-REGISTRY-UNREACHABLE');
    expect(registry.asked).toHaveLength(limits.registryAttempts);
  });

  it('follows a redirect to another host without its login, and no circle', async () => {
    const other = await startBadRegistry();
    try {
      const made = registry.add('moved', await layers(1_000));
      other.add('moved', []);
      const secret = () => Promise.resolve('ann:secret');
      const registries = { [registry.host]: { plainHttp: true } };
      const known = pullRig(containerd, { registries, credentials: { secret } });
      other.misdeed = (request, response) => {
        const digest = request.url?.split('/').at(-1) ?? '';
        const blob = contents.get(digest);
        if (!blob) return false;
        sendBlob(other, request, response, blob);
        return true;
      };
      const contents = new Map<string, Buffer>();
      registry.misdeed = (request, response, blob) => {
        if (request.headers.authorization === undefined) {
          response.writeHead(401, { 'www-authenticate': 'Basic realm="here"' }).end();
          return true;
        }
        if (!blob) return false;
        contents.set(sha256(blob), blob);
        response.writeHead(307, { location: `http://${other.host}/elsewhere/${sha256(blob)}` }).end();
        return true;
      };
      await known.source.ensure({ image: image('moved') }, newCall());
      known.close();
      expect(other.asked).toContain(`GET /elsewhere/${made.layers[0]}`);
      expect(other.headers.map(({ authorization }) => authorization)).toEqual(
        other.asked.map(() => undefined),
      );
      registry.misdeed = (request, response) => {
        response.writeHead(302, { location: request.url ?? '/' }).end();
        return true;
      };
      registry.asked.length = 0;
      expect((await refusal(pull('circle'))).code).toBe('HM-REGISTRY-ANSWER');
      expect(registry.asked).toHaveLength(limits.registryRedirects + 1);
    } finally {
      await other.close();
    }
  });

  it('refuses a manifest of any size above the bound, without reading it whole', async () => {
    registry.misdeed = (_request, response) => {
      response.writeHead(200);
      const more = () => {
        while (response.write(Buffer.alloc(megabyte, 0x20)));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
      return true;
    };
    expect((await refusal(pull('endless'))).code).toBe('HM-REGISTRY-ANSWER');
    expect(await rig.kept()).toEqual(nothing);
  });

  it('refuses a small layer that unpacks to a large one, and frees the space', async () => {
    registry.add('bomb', [await layerOf('zeros', Buffer.alloc(256 * megabyte))]);
    const reason = await refusal(pull('bomb'));
    expect(reason.code).toBe('HM-IMAGE-LAYER');
    expect(await rig.kept()).toEqual(nothing);
  });

  it('ends a pull that nobody waits for, and not one that others wait for', async () => {
    const made = registry.add('shared', await layers(2 * megabyte));
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    registry.misdeed = (request, response, blob) => {
      if (!blob || !isBlob(request.url, made.layers[0]!)) return false;
      void held.then(() => sendBlob(registry, request, response, blob));
      return true;
    };
    const waiting = new AbortController();
    const first = refusal(
      rig.source.ensure({ image: image('shared') }, { key: '1', signal: waiting.signal }),
    );
    const second = pull('shared');
    await until('it is under way', async () => (await rig.source.pulls({}, newCall())).pulls.length);
    waiting.abort();
    expect((await first).code).toBe('HM-RUNTIME-TIMEOUT');
    release();
    expect((await second).name).toBe(image('shared'));
    expect(registry.asked.filter((asked) => asked.endsWith('/manifests/1'))).toHaveLength(1);
  });
});
