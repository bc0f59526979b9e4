/**
 * Does the simulation find defects? Each patch here plants one in a copy of the product; seeds run there until one
 * fails. A patch says which checker has to be the one that finds it, and within how many seeds: `# found by: D1 within
 * 60 seeds`, or `within 60 seeds of 3 nodes`; one that seeds cannot see names the tests that do: `# tests: …`. Prints the
 * score. `npm run sim -- mutants [NAME…]`
 */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const seeds = 200;
const root = fileURLToPath(new URL('../../', import.meta.url));
const here = join(root, 'test/mutants');
const copied = ['protocols', 'transport', 'actors', 'supervisors', 'runtime', 'test'];
const files = ['package.json', 'tsconfig.json', 'vitest.config.ts'];

interface Ran {
  readonly code: number;
  readonly output: string;
}

function run(command: string, args: readonly string[], cwd: string): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { cwd, maxBuffer: 16_777_216, timeout: 1_800_000 };
    execFile(command, args, options, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === 'number' ? error.code : 1) : 0;
      resolve({ code, output: `${stdout}${stderr}` });
    });
  });
}

async function copyOf(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hivemind-mutant-'));
  for (const name of [...copied, ...files])
    await cp(join(root, name), join(folder, name), { recursive: true, force: true }).catch(() => undefined);
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

const tsx = join(root, 'node_modules/.bin/tsx');
const vitest = join(root, 'node_modules/.bin/vitest');

interface Wanted {
  /** Any, when the patch does not say. */
  readonly checker?: string;
  readonly seeds: number;
  /** In each of them. */
  readonly nodes: number;
  readonly tests: readonly string[];
}

function wantedBy(text: string): Wanted {
  const [, checker, within, nodes] =
    /^# found by: (\S+) within (\d+) seeds(?: of (\d+) nodes)?$/m.exec(text) ?? [];
  const tests = /^# tests: (.*)$/m.exec(text)?.[1]?.split(' ') ?? [];
  // Who names tests alone says that seeds do not see it.
  const least = tests.length > 0 ? 0 : seeds;
  return {
    seeds: Number(within ?? least),
    nodes: Number(nodes ?? 1),
    tests,
    ...(checker === undefined ? {} : { checker }),
  };
}

/** What found it, in words; `undefined` when it lives. */
async function findIn(folder: string, wanted: Wanted): Promise<string | undefined> {
  const { tests, checker } = wanted;
  const campaign = [
    'campaign',
    '--seeds',
    String(wanted.seeds),
    '--nodes',
    String(wanted.nodes),
    '--until-failure',
  ];
  const simulated = await run(tsx, ['runtime/simulation/main.ts', ...campaign], folder);
  if (simulated.code !== 0) {
    const line = simulated.output.split('\n').find((text) => /FAILED|Error/.test(text)) ?? simulated.output;
    const found = line.replace(/ {2}hash.*FAILED/, ':').slice(0, 160);
    const rightly = checker === undefined || new RegExp(`FAILED (?:${checker}): `).test(line);
    if (rightly) return found;
    process.stdout.write(`  not by ${checker}: ${found}\n`);
  }
  if (tests.length === 0) return undefined;
  const tested = await run(vitest, ['run', ...tests], folder);
  return tested.code === 0 ? undefined : `tests: ${tests.join(' ')}`;
}

async function judge(patch: string): Promise<string | undefined> {
  const text = await readFile(join(here, patch), 'utf8');
  const folder = await copyOf();
  try {
    const applied = await run('git', ['apply', '--whitespace=nowarn', join(here, patch)], folder);
    if (applied.code !== 0) throw new Error(`${patch} does not apply any more: ${applied.output}`);
    return await findIn(folder, wantedBy(text));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Of all patches, or of those named. False when a mutant lives, or is found by chance. */
export async function findMutants(named: readonly string[]): Promise<boolean> {
  const patches = (await readdir(here)).filter((file) => file.endsWith('.patch')).sort();
  const chosen = patches.filter((patch) => named.length === 0 || named.includes(patch.replace('.patch', '')));
  let found = 0;
  for (const patch of chosen) {
    const by = await judge(patch);
    if (by !== undefined) found += 1;
    process.stdout.write(
      `${by === undefined ? 'LIVES' : 'found'}  ${patch.replace('.patch', '').padEnd(26)}  ${by ?? ''}\n`,
    );
  }
  process.stdout.write(`${found} of ${chosen.length} mutants found\n`);
  return found === chosen.length && found > 0;
}
