/**
 * `npm run sim -- --seed N [--nodes K] [--trace] [--for 2m]` replays one seed; `campaign --seeds N` runs many and keeps
 * those that fail in the corpus; `shrink --seed N` looks for a smaller plan that fails alike; `mutants` plants defects
 * and says which were found.
 */
import { campaign } from './campaign.ts';
import { describe, lengthened, onlyFaults } from './plans/choice.ts';
import { saveToCorpus } from './plans/corpus.ts';
import { scoreMutants } from './mutants/score.ts';
import { clusterArbitrary, clusterPlanOf } from './plans/cluster-arbitrary.ts';
import { planArbitrary, planOf } from './plans/plan-arbitrary.ts';
import type { Plan } from './plans/plan.ts';
import { shrink } from './shrink.ts';
import { simulate, type Outcome } from './simulation.ts';

const usage = `npm run sim -- --seed N [--nodes K] [--faults none|network,kill,…] [--for 2m] [--trace]
npm run sim -- campaign --seeds N [--from N] [--nodes K] [--until-failure]
npm run sim -- shrink --seed N [--nodes K] [--tries N]
npm run sim -- mutants [--workers W] [NAME…]`;

const say = (text: string) => process.stdout.write(`${text}\n`);

function option(args: readonly string[], name: string): string | undefined {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? undefined : args[at + 1];
}

const known = new Set([
  'nodes',
  'faults',
  'seed',
  'seeds',
  'from',
  'for',
  'tries',
  'trace',
  'until-failure',
  'workers',
]);

/** What would be left out in silence is refused: whoever asks for five nodes must not believe that five have run. */
function refuseUnknown(args: readonly string[]): void {
  const strange = args.find((arg) => arg.startsWith('--') && !known.has(arg.slice(2)));
  if (strange) throw new Error(`${strange} is not known\n${usage}`);
}

const mostNodes = 30;

function nodesOf(args: readonly string[]): number {
  const nodes = numberOf(args, 'nodes', 1);
  if (nodes < 1 || nodes > mostNodes) throw new Error(`--nodes is 1 to ${mostNodes}, not ${nodes}`);
  return nodes;
}

/** The plan of a seed, for one node or several. */
function planFor(args: readonly string[], seed: number): Plan {
  const nodes = nodesOf(args);
  const drawn = (one: number) => (nodes === 1 ? planOf(one) : clusterPlanOf(one, nodes));
  const forText = option(args, 'for');
  const forMs = forText === undefined ? 0 : durationOf(forText);
  // Seeds far from those that campaigns begin with.
  const plan = lengthened(drawn(seed), forMs, (turn) => drawn(seed + turn * 1_000_003));
  const faults = option(args, 'faults');
  return faults === undefined ? plan : onlyFaults(plan, faults);
}

function numberOf(args: readonly string[], name: string, otherwise: number): number {
  const text = option(args, name);
  const value = text === undefined ? otherwise : Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} is a whole number, not ${text}`);
  return value;
}

/** `1h`, `2m`, `90s`, `500ms`. */
function durationOf(text: string): number {
  const match = /^(\d+)(ms|s|m|h)$/.exec(text);
  if (!match) throw new Error(`"${text}" is no duration: 500ms, 90s, 2m or 1h`);
  return Number(match[1]) * { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[match[2] as 'ms' | 's' | 'm' | 'h'];
}

function summary(outcome: Outcome): string {
  const { seed, hash, virtualMs, frames, boots, kills, violation } = outcome;
  const end = violation ? `FAILED ${violation.text}` : 'ok';
  return `seed ${seed}  hash ${hash}  ${Math.round(virtualMs / 1_000)} virtual s  ${frames} frames  ${boots} boots  ${kills} kills  ${end}`;
}

async function replay(args: readonly string[]): Promise<number> {
  const seed = numberOf(args, 'seed', 1);
  const forText = option(args, 'for');
  const plan = planFor(args, seed);
  if (args.includes('--trace')) say(describe(plan));
  const outcome = await simulate(seed, plan, {
    ...(args.includes('--trace') ? { onLine: say } : {}),
    ...(forText === undefined ? {} : { forMs: durationOf(forText) }),
  });
  say(summary(outcome));
  return outcome.violation ? 1 : 0;
}

async function runCampaign(args: readonly string[]): Promise<number> {
  const seeds = numberOf(args, 'seeds', 500);
  if (args.includes('--until-failure')) return untilFailure(args, numberOf(args, 'from', 1), seeds);
  const startedMs = performance.now();
  const report = await campaign(
    {
      fromSeed: numberOf(args, 'from', 1),
      seeds,
      nodes: nodesOf(args),
      planOf: (seed) => planFor(args, seed),
    },
    (outcome) => {
      if (outcome.violation) say(summary(outcome));
    },
  );
  for (const { seed, violation } of report.failed) {
    const name = nodesOf(args) === 1 ? `seed-${seed}` : `seed-${seed}-of-${nodesOf(args)}-nodes`;
    const kept = await saveToCorpus(name, { found: violation!.text, seed, plan: planFor(args, seed) });
    say(`kept ${kept}`);
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  const speed = report.virtualMs / 1_000 / seconds;
  say(`exercised ${JSON.stringify(report.exercised)}`);
  for (const line of report.tame) say(`too tame: ${line}`);
  say(
    `${seeds} seeds, ${report.failed.length} failed, in ${seconds.toFixed(1)} s: ${(seeds / seconds).toFixed(1)} seeds/s, ${speed.toFixed(0)} × real time`,
  );
  return report.failed.length + report.tame.length > 0 ? 1 : 0;
}

/** For those who only ask whether anything fails: nothing is kept. */
async function untilFailure(args: readonly string[], from: number, seeds: number): Promise<number> {
  for (let seed = from; seed < from + seeds; seed += 1) {
    const outcome = await simulate(seed, planFor(args, seed));
    if (!outcome.violation) continue;
    say(summary(outcome));
    return 1;
  }
  say(`${seeds} seeds, none failed`);
  return 0;
}

async function runShrink(args: readonly string[]): Promise<number> {
  const plan = await shrink(numberOf(args, 'seed', 1), {
    plans: nodesOf(args) === 1 ? planArbitrary : clusterArbitrary(nodesOf(args)),
    tries: numberOf(args, 'tries', 300),
  });
  say(plan === undefined ? 'this seed does not fail' : JSON.stringify(plan, null, 1));
  return 0;
}

async function main(args: readonly string[]): Promise<number> {
  refuseUnknown(args);
  if (args[0] === 'campaign') return runCampaign(args);
  if (args[0] === 'shrink') return runShrink(args);
  if (args[0] === 'mutants') return (await scoreMutants(args.slice(1), say)) ? 0 : 1;
  if (args.includes('--seed')) return replay(args);
  say(usage);
  return 2;
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  },
);
