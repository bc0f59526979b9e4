/**
 * `npm run sim -- --seed N [--nodes K] [--trace] [--for 2m]` replays one seed; `campaign --seeds N` runs many and keeps
 * those that fail in the corpus; `shrink --seed N` looks for a smaller plan that fails alike; `mutants` plants defects
 * and says which were found. `--help` says it all.
 */
import { reasonOf } from '../../protocols/errors.ts';
import { exitCodeOf, exitCodes } from '../cli/failure.ts';
import { realClock } from '../world/real-clock.ts';
import type { CampaignReport, Tally } from './campaign.ts';
import { readCommandLine, usage, type CommandLine } from './command-line.ts';
import { describe, planFor, type RunWish } from './plans/choice.ts';
import { saveToCorpus } from './plans/corpus.ts';
import { scoreMutants } from './mutants/score.ts';
import { clusterPlansOf } from './plans/cluster-arbitrary.ts';
import { plansOf } from './plans/plan-arbitrary.ts';
import { faultyMs } from './plans/plan.ts';
import { shrink } from './shrink.ts';
import { simulate, type Outcome } from './simulation.ts';
import { spreadCampaign } from './workers/spread.ts';

const say = (text: string) => process.stdout.write(`${text}\n`);
const progress = (text: string) => process.stderr.write(`${text}\n`);

/** Of a run with faults for two minutes: far more than one takes on a machine that has other things to do. */
const seedLimitMs = 600_000;
const progressMs = 10_000;
/** One defect may fail many seeds: so many of each invariant are kept. */
const keptOfEach = 5;

const seconds = (ms: number) => Math.round(ms / 1_000);

function summary({ seed, hash, virtualMs, frames, boots, kills, violation }: Outcome): string {
  const end = violation ? `FAILED ${violation.text}` : 'ok';
  return `seed ${seed}  hash ${hash}  ${seconds(virtualMs)} virtual s  ${frames} frames  ${boots} boots  ${kills} kills  ${end}`;
}

/** How a run is asked for again, beside its seed. */
function optionsOf({ nodes, forMs, faults }: RunWish): string {
  const time = forMs === undefined ? '' : ` --for ${forMs}ms`;
  const kinds = faults === undefined ? '' : ` --faults ${faults.join(',') || 'none'}`;
  return ` --nodes ${nodes}${time}${kinds}`;
}

async function replay({ seed, wish, trace }: CommandLine): Promise<number> {
  const plan = planFor(wish, seed);
  if (trace) say(describe(plan));
  const outcome = await simulate(seed, plan, trace ? { onLine: say } : {});
  say(summary(outcome));
  return outcome.violation ? exitCodes.error : exitCodes.ok;
}

async function runCampaign(line: CommandLine): Promise<number> {
  if (line.untilFailure) return untilFailure(line);
  const { wish, seeds, from, workers } = line;
  const startedMs = realClock.monotonicMs();
  const interrupt = new AbortController();
  // A terminal's Ctrl-C comes twice: from itself, and from the program that started this one.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupt.abort());
  const tell = progressOf(seeds, startedMs);
  const report = await spreadCampaign(
    {
      ...{ wish, fromSeed: from, seeds, workers, clock: realClock, signal: interrupt.signal },
      seedLimitMs: Math.ceil(Math.max(1, (wish.forMs ?? faultyMs) / faultyMs) * seedLimitMs),
    },
    (outcome, sofar) => {
      if (outcome.violation) say(summary(outcome));
      tell(sofar);
    },
  );
  await keep(report, wish);
  say(`exercised ${JSON.stringify(report.exercised)}`);
  // Some kinds of faults alone put some invariants alone to the test.
  const tame = wish.faults === undefined ? report.tame : [];
  for (const text of tame) say(`too tame: ${text}`);
  say(`${tempo(report, startedMs)}, at most ${Math.round(report.rssBytes / 2 ** 20)} MiB a process`);
  const left = from + seeds - report.nextSeed;
  if (left <= 0) return report.failed.length + tame.length > 0 ? exitCodes.error : exitCodes.ok;
  say(
    `interrupted; to go on: npm run sim -- campaign --from ${report.nextSeed} --seeds ${left}${optionsOf(wish)}`,
  );
  return exitCodes.interrupted;
}

/** Once in a while, to those who look on. */
function progressOf(seeds: number, startedMs: number): (sofar: Tally) => void {
  let toldMs = startedMs;
  return (sofar) => {
    const nowMs = realClock.monotonicMs();
    if (nowMs - toldMs < progressMs) return;
    toldMs = nowMs;
    const left = seconds(((nowMs - startedMs) / sofar.seeds) * (seeds - sofar.seeds));
    progress(`${tempo(sofar, startedMs)}; ${left} s left of ${seeds} seeds`);
  };
}

function tempo(
  { seeds, failed, virtualMs }: Pick<CampaignReport, 'seeds' | 'failed' | 'virtualMs'>,
  startedMs: number,
): string {
  const tookMs = realClock.monotonicMs() - startedMs;
  const perSecond = ((seeds / tookMs) * 1_000).toFixed(2);
  return `${seeds} seeds, ${failed.length} failed, in ${(tookMs / 1_000).toFixed(1)} s: ${perSecond} seeds/s, ${(virtualMs / tookMs).toFixed(0)} × real time`;
}

/** Files of the corpus, and how to make them smaller. */
async function keep({ failed }: CampaignReport, wish: RunWish): Promise<void> {
  const kept = new Map<string, number>();
  for (const { seed, violation } of failed) {
    const { checker, text } = violation!;
    const count = (kept.get(checker) ?? 0) + 1;
    kept.set(checker, count);
    if (count > keptOfEach) continue;
    const name = ['seed', seed, ...(wish.nodes === 1 ? [] : ['of', wish.nodes, 'nodes'])].join('-');
    say(`kept ${await saveToCorpus(name, { found: text, seed, plan: planFor(wish, seed) })}`);
    say(`  next  npm run sim -- shrink --seed ${seed}${optionsOf(wish)} --keep ${name}`);
  }
}

/** For those who only ask whether anything fails: nothing is kept. */
async function untilFailure({ wish, from, seeds }: CommandLine): Promise<number> {
  for (let seed = from; seed < from + seeds; seed += 1) {
    const outcome = await simulate(seed, planFor(wish, seed));
    if (!outcome.violation) continue;
    say(summary(outcome));
    return exitCodes.error;
  }
  say(`${seeds} seeds, none failed`);
  return exitCodes.ok;
}

async function runShrink({ seed, wish, tries, keep: name }: CommandLine): Promise<number> {
  const drawn = wish.forMs === undefined && wish.faults === undefined;
  const plans = wish.nodes === 1 ? plansOf(seed) : clusterPlansOf(seed, wish.nodes);
  const shrunk = await shrink({ seed, plan: planFor(wish, seed), tries, ...(drawn ? { plans } : {}) });
  if (shrunk === undefined) {
    say(`seed ${seed} does not fail`);
    return exitCodes.ok;
  }
  say(shrunk.found);
  if (name === undefined) say(JSON.stringify(shrunk.plan, null, 2));
  else say(`kept ${await saveToCorpus(name, { found: shrunk.found, seed, plan: shrunk.plan })}`);
  return exitCodes.error;
}

async function main(args: readonly string[]): Promise<number> {
  const line = readCommandLine(args);
  switch (line.command) {
    case 'campaign':
      return runCampaign(line);
    case 'shrink':
      return runShrink(line);
    case 'mutants':
      return (await scoreMutants(line, say)) ? exitCodes.ok : exitCodes.error;
    case 'replay':
      return replay(line);
    case 'help':
      say(usage);
      return args.length === 0 ? exitCodes.usage : exitCodes.ok;
  }
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (thrown: unknown) => {
    const { message, hint, code } = reasonOf(thrown);
    progress(`✗ ${message}  ${code}`);
    progress(`  next  ${hint}`);
    process.exitCode = exitCodeOf(reasonOf(thrown));
  },
);
