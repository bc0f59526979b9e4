/** A desk for end-to-end tests: with names that nobody else has, and contexts in a folder of its own. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Environment } from '../../../runtime/config/environment.ts';
import { bringDown, bringUp } from '../../../runtime/desk/desk.ts';
import { deskCalled, nodesOf, type DeskName, type DeskNode } from '../../../runtime/desk/names.ts';
import type { CliResult } from '../node/daemon.ts';

const root = resolve(import.meta.dirname, '../../..');
const run = promisify(execFile);
let count = 0;

export interface TestDesk {
  readonly name: DeskName;
  readonly nodes: readonly DeskNode[];
  readonly environment: Environment;
  /** For files of the test. */
  readonly dir: string;
  up(options: { readonly count: number; readonly runtime: 'containerd' | 'process' }): Promise<void>;
  /** The tool as a person has it who set nothing: it finds the node by the context in use. */
  cli(...args: readonly string[]): Promise<CliResult>;
  down(): Promise<boolean>;
  /** Takes it down, also after a failed test. */
  end(): Promise<void>;
}

/** Nothing is made on the machine yet. */
export async function testDesk(): Promise<TestDesk> {
  count += 1;
  const name = deskCalled(`t${process.pid.toString(36).slice(-4)}${count.toString(36)}`);
  const dir = await mkdtemp(join(tmpdir(), 'hm-desk-'));
  const environment = { HOME: dir, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
  const desk: TestDesk & { nodes: readonly DeskNode[] } = {
    name,
    nodes: [],
    environment,
    dir,
    up: async ({ count: wanted, runtime }) => {
      // Not the machine's own containerd: nothing of a test stays there.
      const containerdAddress = join(dir, 'none.sock');
      await bringUp(name, {
        count: wanted,
        runtime,
        environment,
        containerdAddress,
        progress: () => undefined,
      });
      desk.nodes = nodesOf(name, wanted);
    },
    cli: (...args) => runTool(args, environment, dir),
    down: () => bringDown(name, environment, () => undefined),
    end: async () => {
      await desk.down();
      await rm(dir, { recursive: true, force: true });
    },
  };
  return desk;
}

export function runTool(args: readonly string[], environment: Environment, cwd: string): Promise<CliResult> {
  return new Promise((done) => {
    const options = { cwd, env: { ...environment }, timeout: 120_000, maxBuffer: 64 << 20 };
    const argv = [join(root, 'dist', 'hivemind.js'), ...args];
    execFile(process.execPath, argv, options, (error, stdout, stderr) => {
      done({ code: error ? (typeof error.code === 'number' ? error.code : 255) : 0, stdout, stderr });
    });
  });
}

/** Everything on this machine that carries a name of the desk, a line each. */
export async function tracesOf({ tag, prefix, folder }: DeskName): Promise<readonly string[]> {
  const listed = await Promise.all([
    run('ip', ['netns']),
    run('ip', ['-br', 'link']),
    run('ip', ['route']),
    run('nft', ['list', 'tables']),
  ]);
  const lines = [
    ...listed.flatMap(({ stdout }) => stdout.split('\n')),
    ...readFileSync('/proc/self/mountinfo', 'utf8').split('\n'),
    ...readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry) && entry !== String(process.pid))
      .map((pid) => `process ${pid} ${readOr(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`),
    ...foldersBelow('/sys/fs/cgroup', 3),
    ...foldersBelow('/run/containerd', 3),
    ...(existsSync(folder) ? [folder] : []),
  ];
  const names = [`hm-${tag}`, `hivemind-${tag}`, `hivemind-${prefix}`, folder];
  return lines.filter((line) => names.some((each) => line.includes(each)));
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function foldersBelow(folder: string, depth: number): string[] {
  if (depth === 0 || !existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => [join(folder, entry.name), ...foldersBelow(join(folder, entry.name), depth - 1)]);
}
