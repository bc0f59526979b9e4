/**
 * Builds the images of the hello app on the machine they run on, without a registry and without installing anything:
 * `hello-web` (Debian's busybox and the example's own files) and `hello-store` (Debian's redis-server with
 * its libraries). Both stand on one base layer, so it is kept once.
 */
import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ImageRunConfig } from '../../protocols/containers/oci/types.ts';
import { unpackPackages } from './debian-packages.ts';
import { writeOciArchive, type LayerEntry } from './oci-archive.ts';
import { collectProgram, type ProgramSources } from './program-files.ts';

/** Raised when this file makes other images from the same packages and content. */
const recipe = 1;
const packages = ['busybox-static', 'redis-server', 'redis-tools'];

export interface HelloBuild {
  /** Where archives and their stamp are kept: `.cache/images`. */
  readonly imagesDir: string;
  /** The web service's own files: `examples/hello/web`. */
  readonly contentDir: string;
  /** Told what takes time, a line each. */
  readonly progress?: (line: string) => void;
}

export interface HelloImages {
  /** Paths of `hello-web.tar` and `hello-store.tar`. */
  readonly archives: readonly string[];
  /** False: they were up to date. */
  readonly built: boolean;
}

/** Idempotent; archives appear whole. HM-IMAGE-MISSING when the programs can be had from nowhere. */
export async function buildHelloImages(build: HelloBuild): Promise<HelloImages> {
  const content = await contentOf(build.contentDir);
  const stamp = JSON.stringify([recipe, process.arch, digestOf(content)]);
  const stampPath = join(build.imagesDir, 'hello.stamp');
  const archives = ['hello-web', 'hello-store'].map((name) => join(build.imagesDir, `${name}.tar`));
  if (await upToDate(stampPath, stamp, archives)) return { archives, built: false };

  await mkdir(build.imagesDir, { recursive: true });
  const work = await mkdtemp(join(build.imagesDir, 'building-'));
  try {
    const sources = await programSources(work, build.progress ?? (() => {}));
    const base = await baseLayer(sources);
    await writeImage(archives[0]!, sources, 'hello-web', [base, content], {
      Entrypoint: ['/srv/serve'],
      ExposedPorts: { '8000/tcp': {} },
    });
    await writeImage(archives[1]!, sources, 'hello-store', [base, await storeLayer(sources)], {
      Cmd: ['redis-server'],
      ExposedPorts: { '6379/tcp': {} },
      WorkingDir: '/data',
    });
    await writeFile(join(work, 'stamp'), stamp);
    await rename(join(work, 'stamp'), stampPath);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return { archives, built: true };
}

/** The packages, or where they cannot be fetched, what this machine has of them. */
async function programSources(work: string, progress: (line: string) => void): Promise<ProgramSources> {
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const folder = join(work, 'packages');
  try {
    progress(`fetching Debian packages: ${packages.join(', ')} and their libraries`);
    await unpackPackages(packages, folder);
    return { roots: [folder, '/'], architecture };
  } catch (error) {
    const because = error instanceof Error ? error.message.trim().split('\n').at(-1) : String(error);
    progress(`the packages cannot be fetched (${because}); looking on this machine`);
    return { roots: ['/'], architecture };
  }
}

/** A shell and its tools, as small as it gets, and the files C libraries look for. */
async function baseLayer(sources: ProgramSources): Promise<LayerEntry[]> {
  const files = await collectProgram(sources, ['/bin/busybox', '/usr/bin/busybox']);
  const busybox = files[0]!;
  const applets = await appletsOf(busybox.content);
  return withParents([
    { path: 'dev', type: 'directory' },
    { path: 'proc', type: 'directory' },
    { path: 'sys', type: 'directory' },
    { path: 'root', type: 'directory', mode: 0o700 },
    { path: 'tmp', type: 'directory', mode: 0o1777 },
    { path: 'etc/passwd', type: 'file', content: 'root:x:0:0:root:/root:/bin/sh\n' },
    { path: 'etc/group', type: 'file', content: 'root:x:0:\n' },
    { path: 'etc/nsswitch.conf', type: 'file', content: 'hosts: files dns\n' },
    ...files.map(({ path, content }) => executable(path === busybox.path ? 'bin/busybox' : path, content)),
    ...applets.map((name): LayerEntry => ({ path: `bin/${name}`, type: 'symlink', target: 'busybox' })),
  ]);
}

async function storeLayer(sources: ProgramSources): Promise<LayerEntry[]> {
  const programs = ['redis-server', 'redis-cli'].map((name) => collectProgram(sources, [`/usr/bin/${name}`]));
  const files = new Map((await Promise.all(programs)).flat().map((file) => [file.path, file.content]));
  return withParents([
    { path: 'data', type: 'directory' },
    ...[...files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, content]) => executable(path, content)),
  ]);
}

/** The example's files under /srv; all of them may be run: they are scripts. */
async function contentOf(folder: string): Promise<LayerEntry[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const entries = paths.sort().map(async (path) => {
    return executable(`srv/${path.slice(folder.length).replace(/^\/+/, '')}`, await readFile(path));
  });
  return withParents(await Promise.all(entries));
}

function executable(path: string, content: Uint8Array): LayerEntry {
  return { path: path.replace(/^\/+/, ''), type: 'file', mode: 0o755, content };
}

/** Adds the folders that no entry names. */
function withParents(entries: readonly LayerEntry[]): LayerEntry[] {
  const named = new Set(entries.map(({ path }) => path));
  const all: LayerEntry[] = [];
  for (const entry of entries) {
    const parts = entry.path.split('/');
    for (let length = 1; length < parts.length; length++) {
      const path = parts.slice(0, length).join('/');
      if (!named.has(path)) all.push({ path, type: 'directory' });
      named.add(path);
    }
    all.push(entry);
  }
  return all;
}

/** Busybox itself knows what it can be called as; it runs here, on the architecture it was fetched for. */
async function appletsOf(busybox: Uint8Array): Promise<string[]> {
  const folder = await mkdtemp('/tmp/hivemind-busybox-');
  try {
    const path = join(folder, 'busybox');
    await writeFile(path, busybox, { mode: 0o755 });
    const { stdout } = await promisify(execFile)(path, ['--list']);
    return stdout.split('\n').filter((name) => /^[a-z0-9._[-]+$/.test(name) && name !== 'busybox');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writeImage(
  path: string,
  { architecture }: ProgramSources,
  name: string,
  layers: readonly LayerEntry[][],
  config: ImageRunConfig,
): Promise<void> {
  await writeOciArchive(path, { name: `${name}:latest`, architecture, layers, config });
}

function digestOf(entries: readonly LayerEntry[]): string {
  const hash = createHash('sha256');
  for (const entry of entries) {
    hash.update(`${entry.path}\0${entry.type}\0`);
    if (entry.type === 'file') hash.update(entry.content);
  }
  return hash.digest('hex');
}

async function upToDate(stampPath: string, stamp: string, archives: readonly string[]): Promise<boolean> {
  try {
    await Promise.all(archives.map((path) => access(path)));
    return (await readFile(stampPath, 'utf8')) === stamp;
  } catch {
    return false;
  }
}
