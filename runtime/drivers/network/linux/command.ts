/**
 * One short-lived program: arguments and input in, text out, never longer than a deadline nor more than a cap.
 * `within` puts every program into another network namespace, for nodes that share a machine.
 */
import { spawn } from 'node:child_process';
import { coded, type CodedError } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';
import type { Clock } from '../../../../protocols/ports.ts';

export interface CommandOptions {
  readonly clock: Clock;
  /** `['nsenter', '--net=/proc/4711/ns/net']` */
  readonly within: readonly string[];
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where administrators' programs are, also when the daemon was started with a user's short PATH. */
const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const packages: Readonly<Record<string, string>> = { ip: 'iproute2', nft: 'nftables', nsenter: 'util-linux' };

export type Run = (
  argv: readonly string[],
  options: { readonly input?: string; readonly signal: AbortSignal },
) => Promise<CommandResult>;

/** Rejects with HM-NETWORK-DRIVER when the program is missing, hangs, is given up or says too much; its exit code is the caller's business. */
export function createRun({ clock, within }: CommandOptions): Run {
  return (argv, { input = '', signal }) =>
    new Promise((resolve, reject) => {
      const [program = '', ...rest] = [...within, ...argv];
      const shown = argv.join(' ').slice(0, 200);
      if (signal.aborted) return reject(coded('HM-NETWORK-DRIVER', `nobody waits for "${shown}" any more`));
      const child = spawn(program, rest, {
        stdio: ['pipe', 'pipe', 'pipe'],
        env: { PATH: searchPath, LC_ALL: 'C' },
      });
      const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
      let bytes = 0;
      let givenUp: CodedError | undefined;
      const giveUp = (why: string) => {
        givenUp ??= coded('HM-NETWORK-DRIVER', `"${shown}" ${why}`, { command: shown });
        child.kill('SIGKILL');
      };
      const abandon = () => giveUp('was given up');
      const timer = clock.setTimer(limits.networkCommandMs, () => giveUp('did not end in time'));
      signal.addEventListener('abort', abandon, { once: true });
      const settle = (done: () => void) => {
        clock.clearTimer(timer);
        signal.removeEventListener('abort', abandon);
        done();
      };
      for (const channel of ['stdout', 'stderr'] as const) {
        child[channel].on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > limits.networkCommandBytes) giveUp('says more than a limit allows');
          else output[channel].push(chunk);
        });
      }
      child.on('error', (error) => settle(() => reject(missing(program, error))));
      child.on('close', (code) => {
        const text = (channel: 'stdout' | 'stderr') => Buffer.concat(output[channel]).toString('utf8');
        settle(() => {
          if (givenUp) reject(givenUp);
          else if (code === 127) reject(missing(argv[0] ?? '', new Error(text('stderr').trim())));
          else resolve({ code: code ?? -1, stdout: text('stdout'), stderr: text('stderr') });
        });
      });
      // A program that ends before it has read everything says why on its stderr.
      child.stdin.on('error', () => undefined);
      child.stdin.end(input);
    });
}

function missing(program: string, error: Error): CodedError {
  const from = packages[program.split('/').at(-1) ?? ''];
  return coded(
    'HM-NETWORK-DRIVER',
    `${program} cannot be run: ${error.message}`,
    { program },
    from === undefined ? undefined : `Install it: apt-get install ${from}`,
  );
}

/** The answer of a program that must succeed; else HM-NETWORK-DRIVER with what it said. */
export function succeeded(what: string, result: CommandResult): string {
  if (result.code === 0) return result.stdout;
  const said = result.stderr.trim().slice(0, 1_000);
  throw coded('HM-NETWORK-DRIVER', `${what} failed: ${said || `exit code ${result.code}`}`, {
    exitCode: result.code,
    stderr: said,
  });
}

/** Whether `ip` failed because the link is not there: not when it looked, or not any more when the kernel did. */
export const wasNoLink = ({ code, stderr }: CommandResult): boolean =>
  code !== 0 && /Cannot find device|No such device/.test(stderr);
