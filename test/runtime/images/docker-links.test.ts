/** Archives as older versions of Docker save them: a layer that images share lies there once, with links in its other places. */
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pack, type Header } from 'tar-stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkArchive, readBlobs } from '../../../runtime/drivers/container/containerd/images/archive.ts';
import { refusal } from '../../kit/port-call.ts';

type Entry = Partial<Header> & { readonly name: string };
const { signal } = new AbortController();
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hm-docker-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Two images: the second one's layer is an entry as given. */
async function saved(...entries: readonly Entry[]): Promise<string> {
  const tar = pack();
  tar.entry({ name: 'one/layer.tar' }, 'the layer');
  tar.entry({ name: 'one.json' }, '{"os":"linux"}');
  for (const entry of entries) tar.entry(entry);
  const image = (tag: string, layer: string) => ({ Config: 'one.json', RepoTags: [tag], Layers: [layer] });
  const manifest = [image('one:1', 'one/layer.tar'), image('two:1', 'two/layer.tar')];
  tar.entry({ name: 'manifest.json' }, JSON.stringify(manifest));
  tar.finalize();
  const path = join(folder, 'saved.tar');
  await pipeline(tar, createWriteStream(path));
  return path;
}

const name = 'two/layer.tar';

test.each<[string, readonly Entry[]]>([
  ['a symbolic link', [{ name, type: 'symlink', linkname: '../one/layer.tar' }]],
  ['a hard link', [{ name, type: 'link', linkname: 'one/layer.tar' }]],
  [
    'a link to a link',
    [
      { name, type: 'symlink', linkname: '../three/layer.tar' },
      { name: 'three/layer.tar', type: 'symlink', linkname: '../one/layer.tar' },
    ],
  ],
])('%s is the layer that it leads to', async (_what, entries) => {
  const path = await saved(...entries);
  const { index, documents, names } = await checkArchive(path, signal);
  const { manifests } = index as { manifests: { digest: string }[] };
  const layers = manifests.map(({ digest }) => documents.get(digest) as { layers: { digest: string }[] });
  expect(layers).toHaveLength(2);
  expect(layers[1]!.layers).toEqual(layers[0]!.layers);
  const read: string[] = [];
  const wanted = new Set([layers[1]!.layers[0]!.digest]);
  const take = async ({ body }: { body: AsyncIterable<Uint8Array> }) => {
    for await (const chunk of body) read.push(Buffer.from(chunk).toString());
  };
  await readBlobs(path, wanted, signal, take, names);
  expect(read).toEqual(['the layer']);
});

test.each<[string, readonly Entry[], RegExp]>([
  ['out of the archive', [{ name, type: 'symlink', linkname: '../../one/layer.tar' }], /holds the path/],
  ['to the machine', [{ name, type: 'symlink', linkname: '/etc/passwd' }], /holds a link to \/etc\/passwd/],
  ['to nothing', [{ name, type: 'symlink', linkname: 'other' }], /two\/layer\.tar is missing/],
  ['to itself', [{ name, type: 'symlink', linkname: 'layer.tar' }], /two\/layer\.tar is missing/],
])('a link %s is refused', async (_what, entries, why) => {
  const because = await refusal(checkArchive(await saved(...entries), signal));
  expect(because.code).toBe('HM-IMAGE-ARCHIVE');
  expect(because.message).toMatch(why);
});
