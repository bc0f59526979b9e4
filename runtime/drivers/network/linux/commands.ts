/** `ip`, `nft` and their like as bounded calls: a deadline, a cap on output, and failures that carry their words. */
import { spawn } from 'node:child_process';
import { coded } from '../../../../protocols/errors.ts';
import type { Call, Clock } from '../../../../protocols/ports.ts';

export interface Commands {
  /** Standard output. HM-NETWORK-DRIVER with the command's own words when it fails. */
  run(command: string, args: readonly string[], call: Pick<Call, 'signal'>, input?: string): Promise<string>;
  /** The same inside the network namespace of a process. */
  runIn(
    pid: number,
    command: string,
    args: readonly string[],
    call: Pick<Call, 'signal'>,
    input?: string,
  ): Promise<string>;
}

const deadlineMs = 10_000;
const outputBytes = 4_194_304;

/** `netns`: path of the network namespace that is the node's own; absent: the one of this process. */
export function createCommands(clock: Clock, netns: string | undefined): Commands {
  const inNode = (command: string, args: readonly string[]): [string, readonly string[]] =>
    netns === undefined ? [command, args] : ['nsenter', [`--net=${netns}`, command, ...args]];
  return {
    run: (command, args, call, input) => execute(clock, ...inNode(command, args), call, input),
    runIn: (pid, command, args, call, input) =>
      execute(clock, 'nsenter', ['-t', String(pid), '-n', command, ...args], call, input),
  };
}

function execute(
  clock: Clock,
  command: string,
  args: readonly string[],
  call: Pick<Call, 'signal'>,
  input = '',
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let bytes = 0;
    const end = () => void child.kill('SIGKILL');
    const timer = clock.setTimer(deadlineMs, end);
    call.signal.addEventListener('abort', end, { once: true });
    const gather = (into: Buffer[]) => (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > outputBytes) end();
      else into.push(chunk);
    };
    child.stdout.on('data', gather(out));
    child.stderr.on('data', gather(err));
    child.stdin.on('error', () => undefined);
    const settle = (): void => {
      clock.clearTimer(timer);
      call.signal.removeEventListener('abort', end);
    };
    child.on('error', (thrown: NodeJS.ErrnoException) => {
      settle();
      const hint =
        thrown.code === 'ENOENT'
          ? `Install it: apt-get install ${command === 'nft' ? 'nftables' : 'iproute2'}`
          : undefined;
      reject(coded('HM-NETWORK-DRIVER', `${command} cannot be run: ${thrown.message}`, { command }, hint));
    });
    child.on('close', (code, signal) => {
      settle();
      if (code === 0) return resolve(Buffer.concat(out).toString());
      const words =
        Buffer.concat(err).toString().trim().slice(0, 1_000) || `ended by ${signal ?? `code ${code}`}`;
      reject(
        coded('HM-NETWORK-DRIVER', `${command} failed: ${words}`, {
          command: [command, ...args].join(' ').slice(0, 300),
        }),
      );
    });
    child.stdin.end(input);
  });
}
