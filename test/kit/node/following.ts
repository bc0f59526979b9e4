/** `hivemind logs -f` as a process of its own: each line it prints is handed over. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const bundle = join(resolve(import.meta.dirname, '../../..'), 'dist/hivemind.js');

export interface Following {
  /** Standard error so far: marks, and what is said of the connection. */
  told(): string;
  /** Ctrl-C; resolves when it has ended. */
  stop(): Promise<void>;
}

export function followLogs(
  socketPath: string,
  args: readonly string[],
  line: (text: string) => void,
): Following {
  const child = spawn(process.execPath, [bundle, 'logs', '-f', ...args], {
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HIVEMIND_ADDRESS: `unix://${socketPath}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let told = '';
  child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
  createInterface({ input: child.stdout }).on('line', line);
  const ended = once(child, 'close');
  return {
    told: () => told,
    stop: async () => {
      child.kill('SIGINT');
      await ended;
    },
  };
}
