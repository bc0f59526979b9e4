/** Runs that once failed, kept as files: a seed, its plan, and what it found. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plan } from './plan.ts';

export interface CorpusEntry {
  /** What it showed, in words. */
  readonly found: string;
  readonly seed: number;
  readonly plan: Plan;
}

const folder = fileURLToPath(new URL('../../../test/simulation/corpus/', import.meta.url));

export async function saveToCorpus(name: string, entry: CorpusEntry): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${name}.json`);
  await writeFile(path, `${JSON.stringify(entry, null, 2)}\n`);
  return path;
}

/** By file name, sorted. */
export async function readCorpus(): Promise<readonly (CorpusEntry & { readonly name: string })[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.json')).sort();
  return Promise.all(
    files.map(async (file) => ({
      name: file.replace(/\.json$/, ''),
      ...(JSON.parse(await readFile(join(folder, file), 'utf8')) as CorpusEntry),
    })),
  );
}
