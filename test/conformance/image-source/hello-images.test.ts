/** The hello images: built once from Debian's packages, complete, and running as real containers. */
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEngine } from '../../../runtime/drivers/container/containerd/engine.ts';
import { createContainerdImages } from '../../../runtime/drivers/container/containerd/images/image-source.ts';
import { buildHelloImages } from '../../../runtime/images/build-hello.ts';
import { newCall } from '../../kit/port-call.ts';
import { containerCreate } from '../../kit/container-create.ts';
import {
  missingForContainerd,
  realClock,
  startContainerd,
  type TestContainerd,
} from '../../kit/containerd.ts';
import { until } from '../../kit/until.ts';

const root = join(import.meta.dirname, '../../..');
const contentDir = join(root, 'examples/hello/web');
const imagesDir = join(root, '.cache/images');
const missing = missingForContainerd();

describe('building', () => {
  it('is done once, and again when the content of the page changes', async () => {
    const { archives } = await buildHelloImages({ imagesDir, contentDir });
    const before = await Promise.all(archives.map((path) => stat(path)));
    expect(await buildHelloImages({ imagesDir, contentDir })).toEqual({ archives, built: false });
    const after = await Promise.all(archives.map((path) => stat(path)));
    expect(after.map(({ ino }) => ino)).toEqual(before.map(({ ino }) => ino));

    const folder = await mkdtemp(join(tmpdir(), 'hm-hello-'));
    try {
      // As if these were the archives of another page.
      await mkdir(join(folder, 'web'));
      await writeFile(join(folder, 'web/serve'), '#!/bin/sh\n');
      for (const name of ['hello-web.tar', 'hello-store.tar', 'hello.stamp'])
        await copyFile(join(imagesDir, name), join(folder, name));
      const again = await buildHelloImages({ imagesDir: folder, contentDir: join(folder, 'web') });
      expect(again.built).toBe(true);
      // The page is another, the store is the same to the byte.
      expect((await readFile(again.archives[0]!)).equals(await readFile(archives[0]!))).toBe(false);
      expect((await readFile(again.archives[1]!)).equals(await readFile(archives[1]!))).toBe(true);
    } finally {
      await rm(folder, { recursive: true });
    }
  }, 120_000);
});

describe.skipIf(missing)(`running${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let containerd: TestContainerd;
  beforeAll(async () => {
    containerd = await startContainerd();
  });
  afterAll(() => containerd.stop());

  it('serves the page, keeps the count, and stops at once', async () => {
    const { archives } = await buildHelloImages({ imagesDir, contentDir });
    const engine = openEngine({
      address: containerd.address,
      namespace: containerd.namespace,
      clock: realClock,
      ioDir: join(containerd.dir, 'io-images'),
      cgroupParent: containerd.cgroupParent,
    });
    const source = createContainerdImages(engine);
    for (const path of archives) await source.import({ path }, newCall());
    const { images } = await source.list({}, newCall());
    expect(images.map(({ name }) => name)).toEqual(['hello-store:latest', 'hello-web:latest']);

    const runtime = containerd.runtime();
    const start = async (index: number, image: string) => {
      const create = containerCreate(index, { image });
      await runtime.create({ ...create, ...(await containerd.logFiles(create.id)) }, newCall());
      await runtime.start({ id: create.id }, newCall());
      const shell = async (script: string) =>
        (await runtime.run({ id: create.id, args: ['/bin/sh', '-c', script], terminal: false }, newCall()))
          .output;
      return { id: create.id, shell };
    };
    const store = await start(1, 'hello-store');
    await until('redis answers', async () => (await store.shell('redis-cli ping')).trim() === 'PONG');
    expect(await store.shell('redis-cli set a 1; redis-cli incr a')).toBe('OK\n2\n');

    const web = await start(2, 'hello-web');
    const page = (header: string) => web.shell(`wget -q -O - ${header} http://127.0.0.1:8000/`);
    // Each container has a network of its own here, so the store is out of reach, and the page says so.
    const text = await until('the page is served', () => page(''));
    expect(text).toContain('Hello from shop/web.2');
    expect(text).toContain('visits:   the store does not answer');
    const html = await page("--header 'Accept: text/html'");
    expect(html).toContain('<h1>Hello from shop/web.2</h1>');
    expect(await web.shell('wget -q -O - http://127.0.0.1:8000/healthz')).toBe('ok\n');

    for (const { id } of [web, store]) {
      const ended = new Promise<number>((resolve) => {
        const stop = runtime.events((event) => {
          if (event.type !== 'exited' || event.id !== id) return;
          stop();
          resolve(event.exit.code);
        });
      });
      await runtime.signal({ id }, newCall());
      expect(await ended).toBe(0);
      await runtime.remove({ id }, newCall());
    }
    engine.connection.close();
  }, 120_000);
});
