/**
 * A real `hivemind-node` for end-to-end tests: the bundles that users run, with a data folder, bridge, address pool
 * and containerd of its own, so that it meets nothing else on the machine. `end` purges it, also after a failed test.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Registries } from '../../../protocols/containers/registry/endpoints.ts';
import type { AppView, SlotStatus } from '../../../protocols/apps/status.ts';
import { purge } from '../../../runtime/purge.ts';
import { until } from '../until.ts';

const root = resolve(import.meta.dirname, '../../..');
const bundle = (name: string): string => join(root, 'dist', `${name}.js`);
let count = 0;

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Transcript {
  /** Transitions so far. */
  seen(): number;
  /** Resolves once there are so many. */
  reached(steps: number): Promise<void>;
  close(): void;
}

export interface TestDaemon {
  readonly name: string;
  readonly dir: string;
  readonly dataDir: string;
  readonly socketPath: string;
  readonly port: number;
  readonly pid: number;
  /** Standard error so far: the daemon's log. */
  log(): string;
  cli(...args: readonly string[]): Promise<CliResult>;
  slots(): Promise<readonly SlotStatus[]>;
  app(name: string): Promise<AppView>;
  /** Until every app named has converged. */
  converged(app: string, withinMs?: number): Promise<AppView>;
  start(extra?: readonly string[]): Promise<void>;
  /** Counts the transitions that the actors make from now on. */
  transcript(): Promise<Transcript>;
  /** Ends it with a signal and waits; answers the exit code. */
  stop(signal: NodeJS.Signals): Promise<number | null>;
  /** Socket of the containerd that the daemon started, and the node's namespace in it. */
  containerdSocket(): string;
  readonly containerdNamespace: string;
  /** Its pid. */
  containerdPid(): number;
  end(): Promise<void>;
}

interface DaemonOptions {
  readonly dataDir?: string;
  readonly registries?: Registries;
  readonly runtime?: 'process';
}

/** One that is ready. */
export async function startDaemon(
  options: DaemonOptions = {},
  flags: readonly string[] = [],
): Promise<TestDaemon> {
  const daemon = await makeDaemon(options);
  try {
    await daemon.start(flags);
  } catch (thrown) {
    await daemon.end();
    throw thrown;
  }
  return daemon;
}

/** Not yet started. `name` makes the bridge, the table and the records of its containers its own. */
export async function makeDaemon(options: DaemonOptions = {}): Promise<TestDaemon> {
  count += 1;
  const dir = await mkdtemp(join(tmpdir(), 'hm-e2e-'));
  const name = `t${process.pid.toString(36)}${count}`;
  const dataDir = options.dataDir ?? join(dir, 'data');
  const pool = await claimPool();
  const config = {
    name,
    dataDir,
    runtime: options.runtime ?? ('containerd' as 'containerd' | 'process'),
    socketPath: join(dir, 'api.sock'),
    containerdAddress: join(dir, 'none.sock'),
    containerdNamespace: `hivemind-${name}`,
    bridge: `hive-${name}`.slice(0, 15),
    containerPool: `10.${pool.second}.0.0/16`,
    mtu: 1_500,
  };
  const port = await freePort();
  let child: ChildProcess | undefined;
  let log = '';
  const flags = [
    ['--name', config.name],
    ['--data-dir', dataDir],
    ['--runtime', config.runtime],
    ['--socket', config.socketPath],
    ['--api-address', `127.0.0.1:${port}`],
    ['--containerd-address', config.containerdAddress],
    ['--containerd-namespace', config.containerdNamespace],
    ['--bridge', config.bridge],
    ['--container-pool', config.containerPool],
    // No test reaches beyond this machine.
    ['--registries', JSON.stringify({ '*': { blocked: true }, ...options.registries })],
  ].flat();

  const get = <Value>(path: string): Promise<Value> => getJson(config.socketPath, path);
  const daemon: TestDaemon = {
    name,
    dir,
    dataDir,
    socketPath: config.socketPath,
    port,
    get pid() {
      return child?.pid ?? 0;
    },
    log: () => log,
    cli: (...args) => runCli(config.socketPath, dir, args),
    slots: async () => (await get<{ slots: SlotStatus[] }>('/v1/containers')).slots,
    app: async (app) => (await get<{ view: AppView }>(`/v1/apps/${app}`)).view,
    converged: async (app, withinMs = 60_000) => {
      let last: AppView | undefined;
      try {
        return await until(
          `${app} has converged`,
          async () => {
            last = await daemon.app(app).catch(() => undefined);
            return last?.converged ? last : undefined;
          },
          withinMs,
        );
      } catch (thrown) {
        throw new Error(`${(thrown as Error).message}: ${JSON.stringify(last?.slots)}\n${log.slice(-2_000)}`);
      }
    },
    start: async (extra = []) => {
      // As users run it: its first line says with which environment.
      const started = spawn(bundle('hivemind-node'), [...flags, ...extra], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH']}` },
      });
      child = started;
      started.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
      started.stdout.on('data', (chunk: Buffer) => (log += chunk.toString()));
      await until(
        'the node is ready',
        async () => {
          if (started.exitCode !== null)
            throw new Error(`hivemind-node ended with ${started.exitCode}: ${log.slice(-2_000)}`);
          return get('/readyz').then(
            () => true,
            () => false,
          );
        },
        60_000,
      );
    },
    transcript: () => countTranscript(config.socketPath),
    stop: async (signal) => {
      const ending = child;
      if (!ending || ending.exitCode !== null || ending.signalCode !== null) return ending?.exitCode ?? null;
      const exited = once(ending, 'exit') as Promise<[number | null]>;
      ending.kill(signal);
      return (await exited)[0];
    },
    containerdSocket: () =>
      /address\s*=\s*['"]([^'"]+\.sock)['"]/.exec(readFileSync(containerdConfigOf(dataDir), 'utf8'))?.[1] ??
      '',
    containerdNamespace: config.containerdNamespace,
    containerdPid: () => containerdPidOf(dataDir),
    end: async () => {
      await daemon.stop('SIGTERM');
      for (const pid of [safely(() => containerdPidOf(dataDir))]) if (pid) process.kill(pid, 'SIGCONT');
      await purge(config, () => undefined);
      pool.release();
      await rm(dir, { recursive: true, force: true });
    },
  };
  return daemon;
}

/** A 10.x.0.0/16 that no other test on this machine has: two nodes with one pool take each other's packets. */
async function claimPool(): Promise<{ readonly second: number; release(): void }> {
  for (let tried = 0; tried < 128; tried++) {
    const second = 64 + ((process.pid + tried) % 128);
    // A socket without a file goes with its process, however that ends.
    const claim = createServer().listen(`\0hivemind-test-pool-${second}`);
    const isOurs = await once(claim, 'listening').then(
      () => true,
      () => false,
    );
    if (!isOurs) continue;
    claim.unref();
    return { second, release: () => void claim.close() };
  }
  throw new Error('all pools of tests are taken');
}

function safely<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** The process whose command line names a configuration file below this data folder. */
function containerdConfigOf(dataDir: string): string {
  return readFileSync(`/proc/${containerdPidOf(dataDir)}/cmdline`, 'utf8').split('\0')[2] ?? '';
}

function containerdPidOf(dataDir: string): number {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const line = safely(() => readFileSync(`/proc/${entry}/cmdline`, 'utf8')) ?? '';
    const [program = '', , config = ''] = line.split('\0');
    if (program.endsWith('containerd') && config.startsWith(dataDir)) return Number(entry);
  }
  throw new Error(`no containerd runs below ${dataDir}`);
}

function runCli(socketPath: string, cwd: string, args: readonly string[]): Promise<CliResult> {
  return new Promise((done) => {
    const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HIVEMIND_ADDRESS: `unix://${socketPath}` };
    execFile(
      process.execPath,
      [bundle('hivemind'), ...args],
      { cwd, env: environment, timeout: 120_000, maxBuffer: 64 << 20 },
      (error, stdout, stderr) => {
        done({ code: error ? (typeof error.code === 'number' ? error.code : 255) : 0, stdout, stderr });
      },
    );
  });
}

export function getJson<Value>(socketPath: string, path: string): Promise<Value> {
  return new Promise((done, failed) => {
    const asked = request({ socketPath, path, timeout: 20_000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if (response.statusCode !== 200) return failed(new Error(`${path}: ${response.statusCode} ${text}`));
        return done((text.startsWith('{') ? JSON.parse(text) : text) as Value);
      });
    });
    asked.on('timeout', () => asked.destroy(new Error(`${path}: no answer`)));
    asked.on('error', failed);
    asked.end();
  });
}

async function countTranscript(socketPath: string): Promise<Transcript> {
  let seen = 0;
  const awaited: { readonly steps: number; readonly met: () => void }[] = [];
  const asked = request({ socketPath, path: '/v1/actors/transcript?follow=true&limit=1' });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.on('data', (chunk: Buffer) => {
    for (const byte of chunk) if (byte === 10) seen++;
    for (const { steps, met } of awaited) if (seen > steps) met();
  });
  // Whoever kills the daemon cuts it off.
  response.on('error', () => undefined);
  asked.on('error', () => undefined);
  return {
    seen: () => seen,
    reached: (steps) => new Promise((met) => (seen > steps ? met() : void awaited.push({ steps, met }))),
    close: () => void asked.destroy(),
  };
}

/** A TCP port nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** What a machine lacks for these tests, or nothing. */
export function missingForDaemon(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root: containers, addresses and published ports do';
  const lacking = ['containerd', 'runc', 'nft', 'ip'].filter(
    (program) => !['/usr/sbin', '/usr/bin', '/sbin'].some((dir) => existsSync(join(dir, program))),
  );
  if (lacking.length > 0) return `needs ${lacking.join(', ')}`;
  return existsSync(bundle('hivemind-node')) ? undefined : 'needs the bundles: npm run build';
}
