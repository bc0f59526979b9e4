/**
 * A program with everything it needs to start, as entries of an image layer: the file, its dynamic linker and its
 * libraries, looked up in folders of unpacked packages first and on this machine after that.
 */
import { lstat, readFile, readlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { coded } from '../../protocols/errors.ts';
import { readElf } from './elf.ts';

const triplets: Readonly<Record<string, string>> = {
  amd64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
};

export interface ProgramSources {
  /** Roots to look in, best first. */
  readonly roots: readonly string[];
  /** GOARCH word. */
  readonly architecture: string;
}

export interface ProgramFile {
  /** Absolute, inside the image. */
  readonly path: string;
  readonly content: Uint8Array;
}

/** The first of the paths that exists, and what it needs. HM-IMAGE-MISSING names what was not found. */
export async function collectProgram(
  sources: ProgramSources,
  paths: readonly string[],
): Promise<ProgramFile[]> {
  const program = await firstFound(sources.roots, paths);
  if (!program) throw notFound(paths[0]!);
  const files = new Map<string, ProgramFile>([[program.path, program]]);
  const waiting = [program];
  for (let file = waiting.pop(); file; file = waiting.pop()) {
    const elf = readElf(file.content);
    const wanted = (elf?.needed ?? []).map((name) => libraryPaths(sources.architecture, name));
    if (elf?.interpreter) wanted.push([elf.interpreter]);
    for (const places of wanted) {
      if (places.some((place) => files.has(place))) continue;
      const found = await firstFound(sources.roots, places);
      if (!found) throw notFound(places[0]!);
      files.set(found.path, found);
      waiting.push(found);
    }
  }
  return [...files.values()];
}

/** Where Debian keeps a library; the dynamic linker looks there without any configuration. */
function libraryPaths(architecture: string, name: string): string[] {
  const triplet = triplets[architecture] ?? architecture;
  return [`/lib/${triplet}/${name}`, `/usr/lib/${triplet}/${name}`, `/lib/${name}`, `/usr/lib/${name}`];
}

async function firstFound(
  roots: readonly string[],
  paths: readonly string[],
): Promise<ProgramFile | undefined> {
  for (const root of roots) {
    for (const path of paths) {
      const content = await readInside(root, path);
      if (content) return { path, content };
    }
  }
  return undefined;
}

/** Follows links as they would be followed with `root` as the root: an absolute one must not lead to this machine's file. */
async function readInside(root: string, path: string, links = 8): Promise<Uint8Array | undefined> {
  const real = join(root, path);
  try {
    const stat = await lstat(real);
    if (stat.isFile()) return await readFile(real);
    if (!stat.isSymbolicLink() || links === 0) return undefined;
    return await readInside(root, resolve(dirname(path), await readlink(real)), links - 1);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

function notFound(path: string): Error {
  return coded(
    'HM-IMAGE-MISSING',
    `${path} is neither in the packages nor on this machine.`,
    { path },
    'apt-get install busybox-static redis-server, then npm start again.',
  );
}
