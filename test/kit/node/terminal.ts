/**
 * A real terminal for end-to-end tests: a tmux server of its own with one pane that runs a shell, in which `hivemind`
 * speaks to the node. What a person would see is what is asked: rows of the screen, the cursor, what has scrolled away.
 */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { until } from '../until.ts';
import type { TestDaemon } from './daemon.ts';

const execute = promisify(execFile);
const tool = resolve(import.meta.dirname, '../../../dist/hivemind.js');
let count = 0;

export interface Terminal {
  /** Types a line and Enter. */
  type(line: string): Promise<void>;
  /** Presses a key by tmux' name: `C-c`. */
  press(key: string): Promise<void>;
  /** Rows of the screen without trailing blanks. */
  rows(): Promise<readonly string[]>;
  /** Until the screen shows it; answers what is found. */
  shows(text: RegExp, withinMs?: number): Promise<RegExpExecArray>;
  /** Runs a command to its end; answers its exit code. */
  run(line: string, withinMs?: number): Promise<number>;
  resize(columns: number, rows: number): Promise<void>;
  /** What tmux knows of the pane. `wrapped`: lines that did not fit into one row. */
  state(): Promise<{ readonly cursor: boolean; readonly scrolled: number; readonly wrapped: number }>;
  close(): Promise<void>;
}

/** In the node's folder. */
export async function openTerminal(
  { dir, socketPath }: Pick<TestDaemon, 'dir' | 'socketPath'>,
  { columns, rows }: { readonly columns: number; readonly rows: number },
): Promise<Terminal> {
  count += 1;
  const server = `hm-${process.pid}-${count}`;
  const environment = {
    TERM: 'xterm-256color',
    LANG: 'C.UTF-8',
    ENV: '',
    PS1: '> ',
    PATH: `${join(dir, 'bin')}:/usr/sbin:/usr/bin:/sbin:/bin`,
    HIVEMIND_ADDRESS: `unix://${socketPath}`,
  };
  await mkdir(join(dir, 'bin'), { recursive: true });
  const script = `#!/bin/sh\nexec ${process.execPath} ${tool} "$@"\n`;
  await writeFile(join(dir, 'bin/hivemind'), script, { mode: 0o755 });
  const tmux = async (...args: string[]): Promise<string> =>
    (await execute('tmux', ['-u', '-L', server, '-f', '/dev/null', ...args], { env: environment })).stdout;
  const size = (wide: number, high: number): string[] => ['-x', String(wide), '-y', String(high)];
  await tmux('new-session', '-d', ...size(columns, rows), '-c', dir, 'sh');
  const lines = (text: string): string[] => text.replace(/\n+$/, '').split('\n');
  let commands = 0;
  const terminal: Terminal = {
    type: async (line) => {
      await tmux('send-keys', '-l', line);
      await tmux('send-keys', 'Enter');
    },
    press: async (key) => void (await tmux('send-keys', key)),
    rows: async () => lines(await tmux('capture-pane', '-p')).map((row) => row.trimEnd()),
    shows: (text, withinMs = 30_000) =>
      until(
        `the screen shows ${text}`,
        async () => text.exec((await tmux('capture-pane', '-p')).replace(/[ ]+$/gm, '')),
        withinMs,
      ).catch(async (thrown: unknown) => {
        throw new Error(`${(thrown as Error).message}:\n${await tmux('capture-pane', '-p')}`);
      }),
    run: async (line, withinMs) => {
      commands += 1;
      await terminal.type(`${line}; echo "ended ${commands}: $?"`);
      return Number((await terminal.shows(new RegExp(`^ended ${commands}: (\\d+)$`, 'm'), withinMs))[1]);
    },
    resize: async (wide, high) => void (await tmux('resize-window', ...size(wide, high))),
    state: async () => {
      const facts = await tmux('display-message', '-p', '#{cursor_flag} #{history_size}');
      const [cursor, scrolled] = facts.trim().split(' ');
      const whole = lines(await tmux('capture-pane', '-p', '-S', '-'));
      const joined = lines(await tmux('capture-pane', '-p', '-J', '-S', '-'));
      return { cursor: cursor === '1', scrolled: Number(scrolled), wrapped: whole.length - joined.length };
    },
    close: async () => void (await tmux('kill-server')),
  };
  return terminal;
}
