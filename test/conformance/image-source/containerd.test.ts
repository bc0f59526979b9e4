/** The containerd images under the image source's conformance suite, and what only a real store can show: nothing left behind, nothing collected too early. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ImageSource } from '../../../protocols/ports.ts';
import { openEngine } from '../../../runtime/drivers/container/containerd/engine.ts';
import { Content } from '../../../runtime/drivers/container/containerd/gen/services/content_pb.ts';
import { Leases } from '../../../runtime/drivers/container/containerd/gen/services/leases_pb.ts';
import { Snapshots } from '../../../runtime/drivers/container/containerd/gen/services/snapshots_pb.ts';
import { createContainerdImages } from '../../../runtime/drivers/container/containerd/images/image-source.ts';
import { writeOciArchive } from '../../../runtime/images/oci-archive.ts';
import { writeBusyboxArchive } from '../../kit/busybox-image.ts';
import { containerCreate } from '../../kit/container-create.ts';
import {
  missingForContainerd,
  realClock,
  startContainerd,
  type TestContainerd,
} from '../../kit/containerd.ts';
import { archiveDefects, writeDefective } from '../../kit/defective-archives.ts';
import { until } from '../../kit/until.ts';
import { newCall, refusal } from '../../kit/port-call.ts';
import { imageSourceConformance } from './image-source.ts';

const missing = missingForContainerd();
const run = promisify(execFile);

const megabyte = 1_048_576;

function sourceOn(containerd: TestContainerd, namespace = containerd.namespace, snapshotter?: string) {
  const engine = openEngine({
    address: containerd.address,
    namespace,
    clock: realClock,
    ioDir: join(containerd.dir, 'io-images'),
    cgroupParent: containerd.cgroupParent,
    ...(snapshotter ? { snapshotter } : {}),
  });
  return {
    source: createContainerdImages(engine, { unpackedBytes: 64 * megabyte }),
    close: () => engine.connection.close(),
  };
}

describe.skipIf(missing)(`containerd${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let containerd: TestContainerd;
  beforeAll(async () => {
    containerd = await startContainerd();
  });
  afterAll(() => containerd.stop());

  let [count, rooms] = [0, 0];
  imageSourceConformance('containerd', () => {
    // One daemon, a namespace for each test.
    const { source, close } = sourceOn(containerd, `${containerd.namespace}-${++count}`);
    const archive = async (name: string, architecture?: string) => {
      const path = join(containerd.dir, `${name}.tar`);
      await writeBusyboxArchive(path, { name, marker: name, ...(architecture ? { architecture } : {}) });
      return path;
    };
    return Promise.resolve({
      source,
      archive,
      placeForeign: async (name) => {
        await source.import({ path: await archive(name, 's390x') }, newCall());
      },
      room: () => join(containerd.dir, `exported-${++rooms}.tar`),
      rubbish: async () => {
        const path = join(containerd.dir, 'rubbish');
        await writeFile(path, 'This is not an archive. '.repeat(100));
        return path;
      },
      close: async () => {
        for (const { name } of (await source.list({}, newCall())).images)
          await source.remove({ image: name }, newCall());
        close();
      },
    });
  });

  describe('the store behind it', () => {
    let source: ImageSource;
    let close: () => void;
    beforeAll(() => {
      ({ source, close } = sourceOn(containerd));
    });
    afterEach(async () => {
      for (const { name } of (await source.list({}, newCall())).images)
        await source.remove({ image: name }, newCall());
    });
    afterAll(() => close());

    const soon = { timeoutMs: 10_000 };
    /** Deleting a lease synchronously runs the garbage collector. */
    async function collectGarbage(): Promise<void> {
      const { lease } = await containerd.connection.unary(Leases.method.create, {}, soon);
      await containerd.connection.unary(Leases.method.delete, { id: lease!.id, sync: true }, soon);
    }
    async function kept(): Promise<{ blobs: number; snapshots: number; leases: number }> {
      await collectGarbage();
      const { connection } = containerd;
      let [blobs, snapshots] = [0, 0];
      for await (const { info } of connection.serverStream(Content.method.list, {}, soon))
        blobs += info.length;
      for (const snapshotter of ['overlayfs', 'native'])
        for await (const { info } of connection.serverStream(Snapshots.method.list, { snapshotter }, soon))
          snapshots += info.length;
      const { leases } = await connection.unary(Leases.method.list, {}, soon);
      return { blobs, snapshots, leases: leases.length };
    }
    const nothing = { blobs: 0, snapshots: 0, leases: 0 };
    const box = join('box.tar');
    const archivePath = () => join(containerd.dir, box);

    it('keeps all parts of an image as long as its name, and nothing after', async () => {
      await writeBusyboxArchive(archivePath(), { name: 'box' });
      await source.import({ path: archivePath() }, newCall());
      // Manifest, configuration and two layers; two snapshots.
      expect(await kept()).toEqual({ blobs: 4, snapshots: 2, leases: 0 });
      await source.ensure({ image: 'box' }, newCall());
      await source.import({ path: archivePath(), name: 'again' }, newCall());
      await source.remove({ image: 'box' }, newCall());
      expect(await kept()).toEqual({ blobs: 4, snapshots: 2, leases: 0 });
      await source.remove({ image: 'again' }, newCall());
      expect(await kept()).toEqual(nothing);
    });

    it('makes images that containers can be made from', async () => {
      await writeBusyboxArchive(archivePath(), { name: 'box' });
      await source.import({ path: archivePath() }, newCall());
      const runtime = containerd.runtime();
      const create = containerCreate(1, { image: 'box', command: ['cat', '/etc/group'] });
      const files = await containerd.logFiles(create.id);
      await runtime.create({ ...create, ...files }, newCall());
      await runtime.remove({ id: create.id }, newCall());
    });

    it('reads what skopeo writes as docker save does, and writes what it reads', async () => {
      await writeBusyboxArchive(archivePath(), { name: 'box' });
      const saved = join(containerd.dir, 'saved.tar');
      const copy = (from: string, to: string) => run('skopeo', ['--insecure-policy', 'copy', from, to]);
      await copy(`oci-archive:${archivePath()}`, `docker-archive:${saved}:team/box:3`);
      const { images } = await source.import({ path: saved }, newCall());
      expect(images.map(({ name }) => name)).toEqual(['team/box:3']);
      await source.ensure({ image: 'team/box:3' }, newCall());
      for (const format of ['oci', 'docker'] as const) {
        const path = join(containerd.dir, `written-${format}.tar`);
        await source.export({ image: 'team/box:3', path, format }, newCall());
        await copy(`${format}-archive:${path}`, `oci:${join(containerd.dir, `read-${format}`)}`);
      }
    });

    it('reads compressed archives', async () => {
      await writeBusyboxArchive(archivePath(), { name: 'box' });
      await writeFile(`${archivePath()}.gz`, gzipSync(await readFile(archivePath())));
      const { images } = await source.import({ path: `${archivePath()}.gz` }, newCall());
      expect(images.map(({ name }) => name)).toEqual(['box:latest']);
    });

    it('unpacks for the snapshotter it is told', async () => {
      const native = sourceOn(containerd, containerd.namespace, 'native');
      await writeBusyboxArchive(archivePath(), { name: 'box' });
      await source.import({ path: archivePath() }, newCall());
      await native.source.ensure({ image: 'box' }, newCall());
      native.close();
      expect(await kept()).toEqual({ blobs: 4, snapshots: 4, leases: 0 });
    });

    it('takes over what another client brought and did not unpack', async () => {
      await writeBusyboxArchive(archivePath(), { name: 'docker.io/library/box:latest' });
      const ctr = ['--address', containerd.address, '--namespace', containerd.namespace];
      await run('ctr', [...ctr, 'images', 'import', '--no-unpack', archivePath()]);
      expect((await kept()).snapshots).toBe(0);
      expect((await source.ensure({ image: 'box' }, newCall())).name).toBe('box:latest');
      expect((await source.list({}, newCall())).images).toHaveLength(1);
      expect(await kept()).toEqual({ blobs: 4, snapshots: 2, leases: 0 });
    });

    it('says when parts of an image are gone, and heals with a new import', async () => {
      await writeBusyboxArchive(archivePath(), { name: 'box' });
      const [image] = (await source.import({ path: archivePath() }, newCall())).images;
      await containerd.connection.unary(Content.method.delete, { digest: image!.digest }, soon);
      // Another one: the first remembers what it has read.
      const later = sourceOn(containerd);
      expect((await refusal(later.source.ensure({ image: 'box' }, newCall()))).code).toBe('HM-IMAGE-MISSING');
      const [listed] = (await later.source.list({}, newCall())).images;
      expect(listed).toMatchObject({ name: 'box:latest', platform: 'unknown' });
      await later.source.import({ path: archivePath() }, newCall());
      const { digest } = await later.source.ensure({ image: 'box' }, newCall());
      expect(digest).toBe(image!.digest);
      later.close();
    });

    it('imports all or nothing when nobody waits any longer', async () => {
      await writeBusyboxArchive(archivePath(), { name: 'box' });
      const leases = async () =>
        (await containerd.connection.unary(Leases.method.list, {}, soon)).leases.length;
      const whole = { blobs: 4, snapshots: 2, leases: 0 };
      const waiting = new AbortController();
      const ended = source.import({ path: archivePath() }, { key: 'abandoned', signal: waiting.signal }).then(
        () => whole,
        (error: unknown) => {
          expect(error).toMatchObject({ reason: { code: 'HM-RUNTIME-TIMEOUT' } });
          return nothing;
        },
      );
      await until('the import has begun', leases);
      waiting.abort();
      expect(await kept()).toEqual(await ended);
    });

    it('survives the death of containerd in the middle of an import', async () => {
      await writeBusyboxArchive(archivePath(), { name: 'box' });
      const begun = source.import({ path: archivePath() }, newCall()).catch((error: unknown) => error);
      const { connection } = containerd;
      await until('the import has begun', async () => {
        return (await connection.unary(Leases.method.list, {}, soon)).leases.length;
      });
      await containerd.kill();
      const outcome = await begun;
      if (outcome instanceof Error) expect(outcome).toMatchObject({ reason: { code: 'HM-RUNTIME-DOWN' } });
      await containerd.start();
      // Its connection comes back by itself, a moment later.
      await until('the source answers again', () =>
        source.list({}, newCall()).then(
          () => true,
          () => false,
        ),
      );
      await source.import({ path: archivePath() }, newCall());
      await source.ensure({ image: 'box' }, newCall());
      for (const { id } of (await connection.unary(Leases.method.list, {}, soon)).leases)
        await connection.unary(Leases.method.delete, { id, sync: true }, soon);
      expect(await kept()).toEqual({ blobs: 4, snapshots: 2, leases: 0 });
    });

    it.each(archiveDefects)('refuses an archive with %s and leaves nothing behind', async (defect) => {
      const path = join(containerd.dir, 'defective.tar');
      await writeDefective(path, defect);
      const reason = await refusal(source.import({ path }, newCall()));
      expect(reason.code).toBe('HM-IMAGE-ARCHIVE');
      expect(reason.message).toContain(path);
      expect(await kept()).toEqual(nothing);
    });

    const bomb = (path: string, megabytes: number) =>
      writeOciArchive(path, {
        name: 'bomb:1',
        architecture: process.arch === 'x64' ? 'amd64' : process.arch,
        config: { Cmd: ['/zeros'] },
        layers: [[{ path: 'zeros', type: 'file', content: Buffer.alloc(megabytes * megabyte) }]],
      });

    it('refuses a layer that unpacks to far more than it looks, and leaves nothing behind', async () => {
      await bomb(archivePath(), 256);
      const reason = await refusal(source.import({ path: archivePath() }, newCall()));
      expect(reason.code).toBe('HM-IMAGE-LAYER');
      expect(await kept()).toEqual(nothing);
    });

    it('refuses an archive that unpacks to far more than it looks before anything is kept', async () => {
      const zeros = gzipSync(Buffer.alloc(128 * megabyte));
      await bomb(archivePath(), 1);
      const whole = gzipSync(await readFile(archivePath()));
      await writeFile(archivePath(), Buffer.concat([whole, zeros]));
      const reason = await refusal(source.import({ path: archivePath() }, newCall()));
      expect(reason).toMatchObject({
        code: 'HM-IMAGE-ARCHIVE',
        message: expect.stringContaining('it holds more than') as string,
      });
      expect(await kept()).toEqual(nothing);
    });

    it('says how an archive is packed that it cannot read', async () => {
      await writeFile(archivePath(), Buffer.from('28b52ffd04580000', 'hex'));
      const reason = await refusal(source.import({ path: archivePath() }, newCall()));
      expect(reason.code).toBe('HM-IMAGE-ARCHIVE');
      expect(reason.message).toContain('zstd');
    });

    it.each([
      ['nameless', '', undefined],
      ['ill-named', 'Not A Name', undefined],
      ['given an ill name', 'box', 'UPPER case'],
    ])('refuses an archive that is %s', async (_what, name, as) => {
      await writeBusyboxArchive(archivePath(), { name });
      const request = { path: archivePath(), ...(as ? { name: as } : {}) };
      expect((await refusal(source.import(request, newCall()))).code).toBe('HM-IMAGE-NAME');
      expect(await kept()).toEqual(nothing);
    });
  });
});
