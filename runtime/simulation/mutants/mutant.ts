/**
 * One patch that plants a defect. It says which checker has to be the one that finds it, and within how many seeds:
 * `# found by: D1 within 60 seeds`, or `within 60 seeds of 3 nodes`; one that seeds cannot see names the tests that do:
 * `# tests: …`. `# by: …` says of whose making it is, where that is not who wrote the simulation: one who knows what is
 * looked for plants what will be found. It is applied to a copy of what is run, never to the tree.
 */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

const root = fileURLToPath(new URL('../../../', import.meta.url));
export const mutantsFolder = join(root, 'test/mutants');

/** When a patch does not say. */
const seedsOtherwise = 200;
/** Of one program: a mutant that makes the simulation stand still must not hold up the others. */
const longestMs = 1_200_000;

export interface Mutant {
  readonly name: string;
  /** Any, when the patch does not say. */
  readonly checker?: string;
  readonly seeds: number;
  /** In each of them. */
  readonly nodes: number;
  readonly tests: readonly string[];
}

/** What looked for it, and what it saw. */
export interface Judgement {
  readonly found: boolean;
  readonly text: string;
}

export async function readMutant(name: string): Promise<Mutant> {
  const text = await readFile(join(mutantsFolder, `${name}.patch`), 'utf8');
  const [, checker, within, nodes] =
    /^# found by: (\S+) within (\d+) seeds(?: of (\d+) nodes)?$/m.exec(text) ?? [];
  const tests = /^# tests: (.*)$/m.exec(text)?.[1]?.split(' ') ?? [];
  // Who names tests alone says that seeds do not see it.
  const otherwise = tests.length > 0 ? 0 : seedsOtherwise;
  return {
    name,
    seeds: Number(within ?? otherwise),
    nodes: Number(nodes ?? 1),
    tests,
    ...(checker === undefined ? {} : { checker }),
  };
}

/** Rejects when the patch no longer fits, and when the signal says so; the copy is gone in either case. */
export async function judgeMutant(mutant: Mutant, signal: AbortSignal): Promise<Judgement> {
  const folder = await copyFor(mutant);
  try {
    const patch = join(mutantsFolder, `${mutant.name}.patch`);
    const applied = await run('git', ['apply', '--whitespace=nowarn', patch], folder, signal);
    if (applied.code !== 0) throw new Error(`${mutant.name} does not fit any more: ${applied.output}`);
    const bySeeds = mutant.seeds > 0 ? await lookWithSeeds(mutant, folder, signal) : undefined;
    if (bySeeds?.found || mutant.tests.length === 0) return bySeeds ?? { found: false, text: 'nobody looks' };
    const byTests = await lookWithTests(mutant, folder, signal);
    return bySeeds ? { ...byTests, text: `${bySeeds.text}; ${byTests.text}` } : byTests;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function copyFor({ tests }: Mutant): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hivemind-mutant-'));
  const folders = ['protocols', 'transport', 'actors', 'supervisors', 'runtime'];
  const files = ['package.json', 'tsconfig.json', 'vitest.config.ts'];
  for (const name of [...folders, ...files, ...(tests.length > 0 ? ['test'] : [])])
    await cp(join(root, name), join(folder, name), { recursive: true });
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

async function lookWithSeeds(mutant: Mutant, folder: string, signal: AbortSignal): Promise<Judgement> {
  const { checker, seeds, nodes } = mutant;
  const simulation = ['--import', 'tsx', 'runtime/simulation/main.ts'];
  const wish = ['campaign', '--seeds', `${seeds}`, '--nodes', `${nodes}`, '--until-failure'];
  const { code, output } = await run(process.execPath, [...simulation, ...wish], folder, signal);
  const of = nodes === 1 ? '' : ` of ${nodes} nodes`;
  if (code === 0) return { found: false, text: `not within ${seeds} seeds${of}` };
  const [, seed, text] = /^seed (\d+) .*FAILED (.*)$/m.exec(output) ?? [];
  if (seed === undefined || text === undefined)
    return { found: false, text: code === undefined ? 'out of time' : `no violation, but ${lastOf(output)}` };
  if (checker !== undefined && !new RegExp(`^(?:${checker}): `).test(text))
    return { found: false, text: `by chance, not by ${checker}: seed ${seed}${of}, ${text.slice(0, 120)}` };
  // A seed that fails without the defect says nothing of it.
  const without = await run(
    process.execPath,
    [...simulation, '--seed', seed, '--nodes', `${nodes}`],
    root,
    signal,
  );
  if (without.code !== 0) return { found: false, text: `seed ${seed}${of} fails without it too` };
  return { found: true, text: `seed ${seed} of ${seeds}${of && `,${of.slice(3)}`}: ${text.slice(0, 120)}` };
}

async function lookWithTests({ tests }: Mutant, folder: string, signal: AbortSignal): Promise<Judgement> {
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--bail', '1', '--maxWorkers', '1', ...tests];
  const { code, output } = await run(process.execPath, vitest, folder, signal);
  if (code === undefined) return { found: false, text: 'out of time' };
  if (code === 0) return { found: false, text: `not by ${tests.join(' ')}` };
  const failed = /^ *FAIL +(.*)$/m.exec(output)?.[1];
  return failed === undefined
    ? { found: false, text: `no test failed, but ${lastOf(output)}` }
    : { found: true, text: failed.replace(/^\|[a-z]+\| +/, '').slice(0, 160) };
}

const lastOf = (output: string): string => output.trim().split('\n').at(-1)?.slice(0, 160) ?? 'nothing';

interface Ran {
  /** None: it was killed, being out of time. */
  readonly code: number | undefined;
  readonly output: string;
}

function run(command: string, args: readonly string[], cwd: string, signal: AbortSignal): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const options = { cwd, signal, maxBuffer: 16_777_216, timeout: longestMs };
    execFile(command, args, options, (error, stdout, stderr) => {
      if (signal.aborted) return reject(new Error('it was ended'));
      const code = error ? (typeof error.code === 'number' ? error.code : undefined) : 0;
      resolve({ code, output: stripVTControlCharacters(`${stdout}${stderr}`) });
    });
  });
}
