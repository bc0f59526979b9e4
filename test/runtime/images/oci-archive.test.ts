/** Archives that Hivemind writes: the same bytes each time, and whole; cut anywhere, the reader refuses them. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkArchive, readBlobs } from '../../../runtime/drivers/container/containerd/images/archive.ts';
import { writeOciArchive, type ArchiveImage } from '../../../runtime/images/oci-archive.ts';
import { refusal } from '../../kit/port-call.ts';

const image: ArchiveImage = {
  name: 'box:1',
  architecture: 'arm64',
  config: { Cmd: ['/bin/true'] },
  layers: [
    [
      { path: 'bin', type: 'directory', mode: 0o700 },
      { path: 'bin/true', type: 'file', mode: 0o755, content: 'x'.repeat(3_000) },
      { path: 'bin/false', type: 'symlink', target: 'true' },
    ],
    [{ path: 'etc/motd', type: 'file', content: 'hello', uid: 7, gid: 8 }],
  ],
};
const { signal } = new AbortController();

let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hm-archive-'));
  path = join(folder, 'box.tar');
});
afterAll(() => rm(folder, { recursive: true }));

it('depends on nothing but its input', async () => {
  const first = await writeOciArchive(path, image);
  const bytes = await readFile(path);
  expect(await writeOciArchive(path, image)).toEqual(first);
  expect(bytes.equals(await readFile(path))).toBe(true);
  expect(await writeOciArchive(path, { ...image, architecture: 'amd64' })).not.toEqual(first);
  expect(await readdir(folder)).toEqual(['box.tar']);
});

it('is read back whole', async () => {
  const { digest } = await writeOciArchive(path, image);
  const { index, blobs, documents } = await checkArchive(path, signal);
  expect(index).toMatchObject({
    manifests: [{ digest, annotations: { 'org.opencontainers.image.ref.name': 'box:1' } }],
  });
  expect([blobs.size, documents.size]).toEqual([4, 2]);
  expect([...documents.values()]).toContainEqual(
    expect.objectContaining({ architecture: 'arm64', config: { Cmd: ['/bin/true'] } }),
  );
  const sizes = new Map<string, number>();
  await readBlobs(path, new Set(blobs.keys()), signal, async ({ digest: blob, body }) => {
    let size = 0;
    for await (const chunk of body) size += chunk.length;
    sizes.set(blob, size);
  });
  expect(sizes).toEqual(blobs);
});

it('is refused when it is cut anywhere before its last blob, or a byte of a blob is changed', async () => {
  await writeOciArchive(path, image);
  const whole = await readFile(path);
  const { blobs } = await checkArchive(path, signal);
  const spoiled = join(folder, 'spoiled.tar');
  // tar ends with two empty records; padding and they may be missing.
  const lastByte = whole.length - 1_024 - 512;
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: lastByte }), async (length) => {
      await writeFile(spoiled, whole.subarray(0, length));
      const found = await checkArchive(spoiled, signal).catch(() => undefined);
      // A cut between two entries is a tar of fewer: what is missing is seen when the index is followed.
      expect(found === undefined || found.blobs.size < blobs.size).toBe(true);
    }),
    { numRuns: 60 },
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...blobs.keys()), fc.nat(), async (digest, at) => {
      // The entry's own header: the digest alone also stands in the documents that name it.
      const header = whole.indexOf(`blobs/sha256/${digest.slice('sha256:'.length)}`);
      const start = Math.ceil((header + 1) / 512) * 512;
      const changed = Buffer.from(whole);
      changed[start + (at % blobs.get(digest)!)]! ^= 1;
      await writeFile(spoiled, changed);
      expect((await refusal(checkArchive(spoiled, signal))).code).toBe('HM-IMAGE-ARCHIVE');
    }),
    { numRuns: 60 },
  );
});
