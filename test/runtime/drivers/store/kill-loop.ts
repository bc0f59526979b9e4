/**
 * kill -9 at random points: starts a process with 8 writers on the embedded store, kills it after a random number of
 * acknowledgements (or while it starts), and gives the next one what was acknowledged, to be found again.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { seededRandom } from '../../../../runtime/world/seeded-random.ts';
import type { Survivors } from './kill-child.ts';

export interface KillReport {
  readonly kills: number;
  readonly duringStart: number;
  readonly acknowledged: number;
  readonly compacted: number;
  /** What a child found missing or wrong, or said when it died by itself; empty when all is well. */
  readonly failures: readonly string[];
}

const writers = 8;
/** A fresh store is as much a case as a grown one. */
const killsAFolder = 50;

/** Starting Node with a bundle takes a third of what tsx takes. Beside the packages, so that lmdb is found. */
async function bundle(): Promise<string> {
  const folder = join(import.meta.dirname, '../../../../node_modules/.cache');
  mkdirSync(folder, { recursive: true });
  const outfile = join(folder, `store-kill-${process.pid}.mjs`);
  await build({
    entryPoints: [join(import.meta.dirname, 'kill-child.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
  });
  return outfile;
}

interface Life {
  readonly survivors: Survivors;
  readonly acknowledged: number;
  readonly oldest: number;
  readonly started: boolean;
  readonly failure: string | undefined;
}

/** One life: until so many acknowledgements were read; negative: killed while it starts. */
async function live(
  program: string,
  folder: string,
  speed: number,
  known: Survivors,
  acks: number,
): Promise<Life> {
  const child = spawn(process.execPath, [program, folder, `${speed}`, JSON.stringify(known)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const counts = [...known.counts];
  let { granted, revoked } = known;
  let acknowledged = 0;
  let oldest = 0;
  let started = false;
  let failure: string | undefined;
  let errors = '';
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    const [word, value] = line.split(' ') as [string, string];
    if (word === 'BAD') failure = line;
    else if (word === 'ready') [started, oldest] = [true, Number(value)];
    else if (word === 'granted') granted = value;
    else if (word === 'revoking') granted = undefined;
    else if (word === 'revoked') revoked = value;
    else [counts[Number(word)], acknowledged] = [Number(value), acknowledged + (started ? 1 : 0)];
    if (started && acknowledged >= acks) child.kill('SIGKILL');
  });
  const ended = Promise.all([once(child, 'exit'), once(lines, 'close')]);
  // The start has many steps; each turn of our loop is another of them.
  for (let turns = acks; turns < 0; turns++) await new Promise((resolve) => setImmediate(resolve));
  if (acks < 0) child.kill('SIGKILL');
  const [[code]] = await ended;
  if (code !== null) failure ??= `ended by itself with ${String(code)}: ${errors.slice(0, 2_000)}`;
  return { survivors: { counts, granted, revoked }, acknowledged, oldest, started, failure };
}

const nothing: Survivors = {
  counts: Array<number>(writers - 1).fill(0),
  granted: undefined,
  revoked: undefined,
};

/** Kill so many times; stops at the first failure. `progress` hears of each folder that is done with. */
export async function killLoop(
  kills: number,
  seed: number,
  progress: (killed: number) => void = () => undefined,
): Promise<KillReport> {
  const program = await bundle();
  const random = seededRandom(seed);
  const failures: string[] = [];
  let [folder, survivors, killed, duringStart, acknowledged, compacted] = ['', nothing, 0, 0, 0, 0];
  const forget = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    for (; killed < kills && failures.length === 0; killed++) {
      if (killed % killsAFolder === 0) {
        if (folder !== '') forget();
        progress(killed);
        folder = mkdtempSync(join(tmpdir(), 'hivemind-kill-'));
        survivors = nothing;
      }
      // Every other folder lives fast enough to compact.
      const speed = Math.floor(killed / killsAFolder) % 2 === 0 ? 10_000 : 1;
      const acks =
        random.next() < 0.15 ? -Math.ceil(random.next() * 20_000) : Math.floor(random.next() ** 3 * 2_000);
      const life = await live(program, folder, speed, survivors, acks);
      survivors = life.survivors;
      acknowledged += life.acknowledged;
      if (!life.started) duringStart += 1;
      if (life.oldest > 0) compacted += 1;
      if (life.failure !== undefined) failures.push(`kill ${killed}: ${life.failure}`);
    }
  } finally {
    forget();
    rmSync(program, { force: true });
  }
  return { kills: killed, duringStart, acknowledged, compacted, failures };
}
