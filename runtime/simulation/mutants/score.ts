/**
 * Does the simulation find defects? Each patch in `test/mutants` is planted and looked for as it says, several at a
 * time and behind everything else that the machine does. One line a mutant, then the score.
 * `npm run sim -- mutants [--workers W] [NAME…]`
 */
import { readdir } from 'node:fs/promises';
import { setPriority, constants } from 'node:os';
import { coded } from '../../../protocols/errors.ts';
import { judgeMutant, mutantsFolder, readMutant, type Judgement, type Mutant } from './mutant.ts';

/** Seconds on two idle processors of 2020, for the estimate alone: of a seed, of tests, of a copy. */
const costs = { seed: 0.5, seedOfNode: 1.2, tests: 20, copy: 3 } as const;
/** A mutant is found long before the seeds that it states are spent. */
const shareOfSeeds = 0.25;

type Say = (text: string) => void;

interface MutantsWish {
  /** All, when there are none. */
  readonly words: readonly string[];
  readonly workers: number;
}

/** Of all patches, or of those named. False when a mutant lives, or is found by chance. */
export async function scoreMutants({ words: names, workers }: MutantsWish, say: Say): Promise<boolean> {
  const mutants = await chosen(names);
  setPriority(constants.priority.PRIORITY_LOW);
  const startedMs = performance.now();
  const minutes = Math.ceil(mutants.reduce((sum, mutant) => sum + costOf(mutant), 0) / workers / 60);
  say(
    `${mutants.length} mutants, ${workers} at a time: about ${minutes} minutes, more where others are at work`,
  );
  const ended = new AbortController();
  const end = () => ended.abort();
  // A terminal's Ctrl-C comes twice: from itself, and from the program that started this one.
  process.on('SIGINT', end).on('SIGTERM', end);
  const living: string[] = [];
  let judged = 0;
  const waiting = [...mutants];
  const work = async () => {
    for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
      const begunMs = performance.now();
      const judgement = await judgeMutant(mutant, ended.signal);
      if (!judgement.found) living.push(mutant.name);
      judged += 1;
      say(lineOf(mutant, judgement, `${judged}/${mutants.length}`, performance.now() - begunMs));
    }
  };
  try {
    await Promise.all(Array.from({ length: workers }, () => work().catch(failing(end))));
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end);
  }
  const took = Math.round((performance.now() - startedMs) / 1_000);
  say(`${mutants.length - living.length} of ${mutants.length} mutants found in ${took} s`);
  if (living.length > 0) say(`living: ${living.sort().join(' ')}`);
  return living.length === 0;
}

/** One worker's failure ends the others, so that no copy stays. */
const failing = (end: () => void) => (error: unknown) => {
  end();
  throw error;
};

async function chosen(names: readonly string[]): Promise<readonly Mutant[]> {
  const all = (await readdir(mutantsFolder))
    .filter((file) => file.endsWith('.patch'))
    .map((file) => file.replace('.patch', ''))
    .sort();
  const strange = names.find((name) => !all.includes(name));
  if (strange !== undefined)
    throw coded(
      'HM-CLI-USAGE',
      `no mutant is called ${strange}`,
      {},
      `one of these, or none for all: ${all.join(' ')}`,
    );
  return Promise.all((names.length === 0 ? all : all.filter((name) => names.includes(name))).map(readMutant));
}

function costOf({ seeds, nodes, tests }: Mutant): number {
  const seedSeconds = nodes === 1 ? costs.seed : nodes * costs.seedOfNode;
  return costs.copy + seeds * shareOfSeeds * seedSeconds + (tests.length > 0 ? costs.tests : 0);
}

function lineOf({ name }: Mutant, { found, text }: Judgement, place: string, ms: number): string {
  const seconds = `${Math.round(ms / 1_000)} s`.padStart(6);
  return `${place.padStart(7)} ${seconds}  ${found ? 'found' : 'LIVES'}  ${name.padEnd(27)}  ${text}`;
}
