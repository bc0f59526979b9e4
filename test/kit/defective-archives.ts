/** Image archives with one thing wrong each, made from a good one: what an importer must refuse. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { extract, pack } from 'tar-stream';
import { writeOciArchive } from '../../runtime/images/oci-archive.ts';

export const archiveDefects = [
  'no bytes',
  'its end cut off',
  'its compressed end cut off',
  'no index',
  'an index that is not JSON',
  'an index without manifests',
  'an index of another form',
  'a blob of another digest',
  'no layer',
  'no configuration',
  'no manifest',
  'a path that leaves it',
  'an absolute path',
  'a layer that is no tar',
  'a layer its configuration does not know',
  'fewer diff ids than layers',
] as const;

export type ArchiveDefect = (typeof archiveDefects)[number];
type Files = Map<string, Buffer>;

export async function writeDefective(path: string, defect: ArchiveDefect): Promise<void> {
  await writeOciArchive(path, {
    name: 'box:latest',
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    config: { Cmd: ['/bin/true'] },
    layers: [
      [{ path: 'bin', type: 'directory' }],
      [{ path: 'bin/true', type: 'file', content: 'x'.repeat(5_000) }],
    ],
  });
  const good = await readFile(path);
  if (defect === 'no bytes') return writeFile(path, '');
  if (defect === 'its end cut off') return writeFile(path, good.subarray(0, 1_500));
  if (defect === 'its compressed end cut off') return writeFile(path, gzipSync(good).subarray(0, 400));
  const files = await filesOf(good);
  spoil(files, defect);
  return writeFile(path, await tarOf(files));
}

function spoil(files: Files, defect: ArchiveDefect): void {
  const index = JSON.parse(String(files.get('index.json'))) as {
    manifests: [{ digest: string; size: number }];
  };
  const manifest = blob(files, index.manifests[0].digest);
  const document = JSON.parse(String(files.get(manifest))) as Manifest;
  const rewrite = (changed: Manifest): void => {
    const { digest, size } = add(files, JSON.stringify(changed));
    Object.assign(index.manifests[0], { digest, size });
    files.set('index.json', Buffer.from(JSON.stringify(index)));
  };
  const layer = document.layers[1]!;
  switch (defect) {
    case 'no index':
      return void files.delete('index.json');
    case 'an index that is not JSON':
      return void files.set('index.json', Buffer.from('{"manifests": ['));
    case 'an index without manifests':
      return void files.set('index.json', Buffer.from('{"schemaVersion":2,"manifests":[]}'));
    case 'an index of another form':
      return void files.set('index.json', Buffer.from('{"manifests":[{"digest":"../../etc/passwd"}]}'));
    case 'a blob of another digest':
      return void files.set(blob(files, layer.digest), Buffer.from('something else'));
    case 'no layer':
      return void files.delete(blob(files, layer.digest));
    case 'no configuration':
      return void files.delete(blob(files, document.config.digest));
    case 'no manifest':
      return void files.delete(manifest);
    case 'a path that leaves it':
      return void files.set('blobs/../../../tmp/escaped', Buffer.from('x'));
    case 'an absolute path':
      return void files.set('/tmp/escaped', Buffer.from('x'));
    case 'a layer that is no tar':
      return rewrite({
        ...document,
        layers: [
          document.layers[0]!,
          { ...layer, ...add(files, gzipSync('no tar at all, but long enough'.repeat(50))) },
        ],
      });
    case 'a layer its configuration does not know':
      return rewrite({ ...document, layers: [document.layers[0]!, document.layers[0]!] });
    case 'fewer diff ids than layers':
      return rewrite({ ...document, layers: [...document.layers, layer] });
    // These are made of the finished archive's bytes.
    case 'its compressed end cut off':
    case 'its end cut off':
    case 'no bytes':
  }
}

interface Part {
  digest: string;
  size: number;
}
interface Manifest {
  config: Part;
  layers: Part[];
}

function blob(files: Files, digest: string): string {
  const name = `blobs/sha256/${digest.slice('sha256:'.length)}`;
  if (!files.has(name)) throw new Error(`the good archive has no ${name}`);
  return name;
}

function add(files: Files, content: string | Uint8Array): Part {
  const bytes = Buffer.from(content);
  const digest = createHash('sha256').update(bytes).digest('hex');
  files.set(`blobs/sha256/${digest}`, bytes);
  return { digest: `sha256:${digest}`, size: bytes.length };
}

async function filesOf(tar: Buffer): Promise<Files> {
  const files: Files = new Map();
  const reader = extract();
  reader.end(tar);
  for await (const entry of reader) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry as AsyncIterable<Buffer>) chunks.push(chunk);
    if (entry.header.type === 'file') files.set(entry.header.name, Buffer.concat(chunks));
  }
  return files;
}

async function tarOf(files: Files): Promise<Buffer> {
  const writer = pack();
  for (const [name, content] of files) writer.entry({ name }, content);
  writer.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of writer as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
