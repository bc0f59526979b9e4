/**
 * `npm run fuzz -- TARGET [--runs N] [--seed N]`: mutated input for one door of the product, each piece accepted or
 * refused with a code. Prints what was seen, the slowest piece, and every finding with the seed that repeats it.
 */
import { performance } from 'node:perf_hooks';
import { fuzzApi } from './api/target.ts';
import { fuzzArchives } from './archives/target.ts';
import { fuzzCompose } from './compose/target.ts';
import { fuzzPackets } from './packets/target.ts';
import { fuzzFrames } from './frames/target.ts';
import { fuzzRegistry } from './registry/target.ts';
import { endTargets, type Target } from './target.ts';

const targets: Readonly<Record<string, Target>> = {
  api: fuzzApi,
  archives: fuzzArchives,
  compose: fuzzCompose,
  packets: fuzzPackets,
  frames: fuzzFrames,
  registry: fuzzRegistry,
};

/** Whatever comes in is done with before anybody waits for it, and fills no memory: more than this is a finding. */
const most = { ms: 2_000, bytes: 1_536 * 1_048_576 };

const usage = `npm run fuzz -- ${Object.keys(targets).join('|')} [--runs N] [--seed N]`;

function numberOf(args: readonly string[], name: string, otherwise: number): number {
  const at = args.indexOf(`--${name}`);
  const value = at < 0 ? otherwise : Number(args[at + 1]);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} is a whole number\n${usage}`);
  return value;
}

async function main(args: readonly string[]): Promise<number> {
  const target = targets[args[0] ?? ''];
  if (!target) throw new Error(usage);
  const runs = numberOf(args, 'runs', 10_000);
  const first = numberOf(args, 'seed', 1);
  const seen = new Map<string, number>();
  let findings = 0;
  let slowest = { ms: 0, seed: first };
  let peak = 0;
  const began = performance.now();
  for (let seed = first; seed < first + runs; seed++) {
    const start = performance.now();
    const piece = target(seed);
    // Awaiting what is there already costs a turn of the event loop each.
    const { outcome, finding } = 'outcome' in piece ? piece : await piece;
    const ms = performance.now() - start;
    if (ms > slowest.ms) slowest = { ms, seed };
    seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
    if (finding !== undefined && ++findings <= 20) console.log(`seed ${seed}: ${finding}`);
    if ((seed - first + 1) % 100_000 === 0) console.log(`${seed - first + 1} runs, ${findings} findings`);
    if (seed % 1_000 === 0) peak = Math.max(peak, process.memoryUsage().rss);
  }
  if (slowest.ms > most.ms) console.log(`seed ${slowest.seed}: took ${slowest.ms.toFixed(0)} ms`);
  if (peak > most.bytes) console.log(`memory: ${Math.round(peak / 1_048_576)} MB`);
  findings += Number(slowest.ms > most.ms) + Number(peak > most.bytes);
  const seconds = (performance.now() - began) / 1_000;
  for (const [outcome, count] of [...seen].sort(([, a], [, b]) => b - a)) console.log(`${count}  ${outcome}`);
  const memory = `most memory ${Math.round(peak / 1_048_576)} MB`;
  console.log(
    `${runs} runs in ${seconds.toFixed(0)} s, slowest ${slowest.ms.toFixed(0)} ms (seed ${slowest.seed}), ${memory}, ${findings} findings`,
  );
  return findings === 0 ? 0 : 1;
}

const code = await main(process.argv.slice(2)).catch((thrown: unknown) => {
  console.error(thrown);
  return 2;
});
await endTargets();
process.exit(code);
