/**
 * One process that runs seeds, as its campaign sees it. It answers an outcome for each seed, whatever happens: a process
 * that crashes or hangs is a failure of the seed that it ran, and another takes its place.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Clock } from '../../../protocols/ports.ts';
import type { RunWish } from '../plans/choice.ts';
import type { Outcome } from '../simulation.ts';
import type { FromWorker } from './messages.ts';

export interface WorkerOptions {
  /** What it runs: a file that calls `serveSeeds`. */
  readonly program: URL;
  readonly wish: RunWish;
  readonly clock: Clock;
  /** A seed that takes longer hangs. */
  readonly seedLimitMs: number;
  onOutcome(outcome: Outcome, rssBytes: number): void;
}

/** For a process to load what it runs, on a machine that has other things to do. */
const startLimitMs = 300_000;
/** Of what it wrote to its standard error before it died. */
const lastWords = 2_000;
const typescript = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

export class SeedWorker {
  readonly #options: WorkerOptions;
  #child: ChildProcess | undefined;
  #seeds: number[] = [];
  #timer: unknown;
  #isReady = false;
  #hangs = false;
  #closed = false;
  #done: () => void = () => {};
  #failed: (error: Error) => void = () => {};

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  /** Resolves when each has its outcome, or it was closed. Rejects when no process can be started. */
  run(seeds: readonly number[]): Promise<void> {
    this.#seeds = [...seeds];
    return new Promise((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
      this.#begin();
    });
  }

  /** Ends its process, whatever it does. */
  close(): void {
    this.#closed = true;
    this.#options.clock.clearTimer(this.#timer);
    this.#child?.kill('SIGKILL');
    this.#done();
  }

  #begin(): void {
    if (this.#closed || this.#seeds.length === 0) return this.#done();
    this.#child ??= this.#fork();
    if (this.#isReady) this.#watch(this.#options.seedLimitMs);
    this.#child.send({ wish: this.#options.wish, seeds: this.#seeds });
  }

  #fork(): ChildProcess {
    const child = fork(fileURLToPath(this.#options.program), [], {
      // What a step leaves behind is garbage at once: with room for it, collecting costs a tenth less of all.
      execArgv: ['--import', typescript, '--max-semi-space-size=32', '--stack-trace-limit=0'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let words = '';
    this.#isReady = false;
    this.#watch(startLimitMs);
    child.stderr!.on('data', (text: Buffer) => (words = (words + String(text)).slice(-lastWords)));
    child.on('message', (message: FromWorker) => {
      if (message.kind === 'ready') this.#ready();
      else this.#ended(message.outcome, message.rssBytes);
    });
    child.on('error', (error) => this.#failed(error));
    child.on('close', (code, signal) => {
      if (this.#closed || child !== this.#child) return;
      this.#child = undefined;
      if (!this.#isReady) this.#failed(new Error(`no process for seeds can be started: ${words}`));
      else this.#died(`the process ended with ${signal ?? `code ${code}`}: ${words.trim()}`);
    });
    return child;
  }

  #ready(): void {
    this.#isReady = true;
    this.#watch(this.#options.seedLimitMs);
  }

  /** Nothing of its process within so long: it hangs. */
  #watch(limitMs: number): void {
    const { clock } = this.#options;
    clock.clearTimer(this.#timer);
    if (this.#seeds.length === 0) return;
    this.#timer = clock.setTimer(limitMs, () => {
      this.#hangs = true;
      this.#child?.kill('SIGKILL');
    });
  }

  #ended(outcome: Outcome, rssBytes: number): void {
    if (this.#closed || this.#hangs) return;
    this.#seeds.shift();
    this.#watch(this.#options.seedLimitMs);
    this.#options.onOutcome(outcome, rssBytes);
    if (this.#seeds.length === 0) this.#done();
  }

  /** The seed it ran has failed; the others are run by another process. */
  #died(how: string): void {
    const seed = this.#seeds.shift();
    if (seed === undefined) return;
    const checker = this.#hangs ? 'hang' : 'crash';
    const text = this.#hangs ? `hang: no end within ${this.#options.seedLimitMs / 1_000} s` : `crash: ${how}`;
    this.#hangs = false;
    this.#options.onOutcome(failedOutcome(seed, checker, text), 0);
    this.#begin();
  }
}

const failedOutcome = (seed: number, checker: string, text: string): Outcome => ({
  ...{ seed, hash: '', virtualMs: 0, frames: 0, boots: 0, kills: 0, orders: 0, exercised: {} },
  violation: { checker, text, atMs: 0 },
});
