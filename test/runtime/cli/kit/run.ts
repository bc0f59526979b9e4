/** One command line in this process: real streams without a terminal (or with one that is told so), time that never waits. */
import { PassThrough } from 'node:stream';
import type { CliProcess, InputStream, OutputStream } from '../../../../runtime/cli/cli.ts';
import { runCli } from '../../../../runtime/cli/main.ts';
import type { Clock } from '../../../../protocols/ports.ts';

export interface RunOptions {
  readonly socket?: string;
  readonly socketDirectories?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
  /** Columns and rows of a terminal on all three streams. */
  readonly terminal?: readonly [number, number];
  readonly stdin?: string;
  /** Instead of one that never waits. */
  readonly clock?: Clock;
  /** Called with what would be shown in a browser. */
  readonly onOpen?: (url: string) => void;
  /** Called with each piece of output: to react in the middle. */
  readonly onOutput?: (text: string, running: Running) => void;
}

export interface Running {
  readonly stdin: PassThrough & { raw: boolean };
  readonly stdout: PassThrough & { columns?: number; rows?: number };
  interrupt(): void;
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where time stands at the start of every run: 2026-11-23T12:00:00Z. */
export const startMs = Date.UTC(2026, 10, 23, 12);

/** Timers fire in the next turn of the event loop, and time jumps there. */
function hastyClock(): Clock {
  let now = startMs;
  const cleared = new Set<unknown>();
  return {
    now: () => now,
    monotonicMs: () => now,
    setTimer: (delayMs, fire) => {
      const timer = {};
      setImmediate(() => {
        if (cleared.has(timer)) return;
        now += delayMs;
        fire();
      });
      return timer;
    },
    clearTimer: (timer) => void cleared.add(timer),
    defer: (later) => void setImmediate(later),
  };
}

export async function run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const interrupt = new AbortController();
  const [columns, rows] = options.terminal ?? [];
  const size = options.terminal ? { isTTY: true, columns, rows } : {};
  const out = { stdout: '', stderr: '' };
  const stdin = Object.assign(new PassThrough(), size, {
    raw: false,
    setRawMode(raw: boolean): void {
      stdin.raw = raw;
    },
  }) as PassThrough & { raw: boolean; setRawMode(raw: boolean): void };
  const stream = (name: 'stdout' | 'stderr'): PassThrough =>
    Object.assign(new PassThrough(), size).on('data', (chunk: Buffer) => {
      out[name] += chunk.toString();
      options.onOutput?.(chunk.toString(), running);
    });
  const running: Running = { stdin, stdout: stream('stdout'), interrupt: () => interrupt.abort() };
  const stderr = stream('stderr');
  if (options.stdin !== undefined) stdin.end(options.stdin);
  const cliProcess: CliProcess = {
    stdin: stdin as InputStream,
    stdout: running.stdout as OutputStream,
    stderr: stderr as OutputStream,
    environment: {
      TERM: 'xterm',
      ...(options.socket ? { HIVEMIND_ADDRESS: options.socket } : {}),
      ...options.environment,
    },
    directory: options.directory ?? '/',
    clock: options.clock ?? hastyClock(),
    version: '0.1.0',
    socketDirectories: options.socketDirectories ?? [],
    purge: async ({ name, dataDir }, progress) => progress(`✓ ${name} in ${dataDir}`),
    openInBrowser: (url) => {
      options.onOpen?.(url);
      return Promise.resolve();
    },
    interrupted: interrupt.signal,
  };
  const code = await runCli(args, cliProcess);
  await new Promise((resolve) => setImmediate(resolve));
  return { code, ...out };
}
