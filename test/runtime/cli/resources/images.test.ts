/** What an image holds, who uses it and when it goes, as a person reads it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { reason } from '../../../../protocols/errors.ts';
import type { NodeDouble } from '../kit/node-double.ts';
import { run, startMs, type Ran, type RunOptions } from '../kit/run.ts';
import { shopNode } from '../kit/shop.ts';

let node: NodeDouble;
beforeEach(async () => {
  node = shopNode();
  await node.listen();
});
afterEach(() => node.close());

const hive = (line: string, options: RunOptions = {}): Promise<Ran> =>
  run(line.split(' '), { socket: node.socket, ...options });

test('image show, and image ls -o wide: what it holds, who uses it, when it goes', async () => {
  const image = {
    ...{ name: 'hello:latest', digest: 'sha256:1', platform: 'linux/amd64', sizeBytes: 4_404_019 },
    ...{ createdAt: startMs - 60_000, usedBy: [], wanted: false, goesAt: startMs + 3 * 86_400_000 },
  };
  node.on('GET /v1/images', () => ({ images: [image] }));
  expect((await hive('image ls -o wide')).stdout).toMatch(
    /USED BY +GOES +AGE\n.* - +in 3d: nothing wants it +60s/,
  );
  const layers = [{ digest: `sha256:${'a'.repeat(64)}`, mediaType: 'tar', sizeBytes: 4_403_000 }];
  const config = {
    entrypoint: ['/bin/sh', '-c'],
    command: ['echo "x y"'],
    volumes: ['/data'],
    labels: { a: 'b' },
  };
  const details = { ...image, platforms: ['linux/amd64', 'linux/arm64'], layers, config };
  node.on('GET /v1/images/hello:latest', () => ({ ...details, usedBy: ['shop/web'], wanted: true }));
  const { stdout } = await hive('image show hello:latest');
  expect(stdout).toBe(`hello:latest

digest       sha256:1
platforms    linux/amd64, linux/arm64
size         4.2MiB in 1 layer
arrived      60s ago
used by      shop/web
goes         never while a kept revision wants it
entrypoint   /bin/sh -c
command      "echo \\"x y\\""
volumes      /data

labels
  a=b

layers
  sha256:aaaaaaaaaaaa     4.2MiB
`);
  expect(JSON.parse((await hive('image show hello:latest --json=layers,wanted')).stdout)).toEqual({
    layers,
    wanted: true,
  });
});

test('an archive on its way shows how much has passed where a person looks on, and nothing elsewhere', async () => {
  const row = {
    name: 'hello:1',
    digest: 'sha256:1',
    platform: 'linux/amd64',
    sizeBytes: 1,
    createdAt: startMs,
  };
  const archive = Buffer.alloc(3 * 1_048_576, 'tar');
  await writeFile(join(node.directory, 'h.tar'), archive);
  node.on('POST /v1/images/import', () => ({ images: [row] }));
  const options = { directory: node.directory };
  const seen = await hive('image import h.tar', { ...options, terminal: [100, 24] });
  expect(seen.stderr).toMatch(/h\.tar {2}█+░+ {2}[12]\.\dMiB \/ 3\.0MiB/);
  expect(seen.stderr).toMatch(/h\.tar {2}█{24} {2}3\.0MiB \/ 3\.0MiB {2}is checked and unpacked/);
  expect(node.requests.at(-1)!.body.equals(archive)).toBe(true);
  expect(
    (await hive('image import - -o name', { ...options, terminal: [100, 24], stdin: 'tar' })).stderr,
  ).toMatch(/- {2}3B {2}is checked/);
  expect(await hive('image import h.tar -o name', options)).toEqual({
    code: 0,
    stdout: 'hello:1\n',
    stderr: '',
  });
  node.refuse('POST /v1/images/import', reason('HM-IMAGE-ARCHIVE', 'h.tar is none'));
  const refused = await hive('image import h.tar', { ...options, terminal: [100, 24] });
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('HM-IMAGE-ARCHIVE') as string });
});
