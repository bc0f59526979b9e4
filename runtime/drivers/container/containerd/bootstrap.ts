/**
 * A containerd to work with: the machine's own if one answers, else one that Hivemind starts for itself, detached,
 * so that it outlives the daemon and is found again by the next. The choice is remembered in the data folder: containers
 * live in one containerd and must not be looked for in another because the first is down for a moment.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { coded } from '../../../../protocols/errors.ts';
import { limits } from '../../../../protocols/limits.ts';
import type { Clock } from '../../../../protocols/ports.ts';
import { failedWith } from './failure.ts';
import { Version } from './gen/services/version_pb.ts';
import { connectContainerd } from './rpc.ts';

export interface BootstrapOptions {
  /** Where the machine's own containerd would listen. */
  readonly address: string;
  /** The node's data folder, absolute; ours keeps everything below `containerd/` in it. */
  readonly dataDir: string;
  readonly clock: Clock;
  /** Default: containerd on the usual paths. */
  readonly binary?: string;
}

export interface ContainerdPlace {
  readonly address: string;
  /** containerd's `state` setting, for the runtime's sweeper; unknown of a containerd that no node has started. */
  readonly stateDir?: string;
  /** Started by Hivemind: this node restarts and may stop it. */
  readonly own: boolean;
}

interface OwnPaths {
  readonly base: string;
  readonly config: string;
  readonly root: string;
  readonly state: string;
  readonly socket: string;
  readonly log: string;
}

const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** `sun_path` holds 108 bytes with the final NUL; `.ttrpc` is appended to the address for a second socket. */
const socketBytes = 107 - '.ttrpc'.length;
const pollMs = 50;

/**
 * Resolves once a containerd answers; call it again when it stops answering: ours is started again. HM-RUNTIME-DOWN when
 * the machine's own, used before, is gone, or ours does not start; HM-RUNTIME-TIMEOUT when one is there but hangs.
 */
export async function ensureContainerd(options: BootstrapOptions): Promise<ContainerdPlace> {
  const own = ownPaths(options.dataDir);
  const choicePath = join(options.dataDir, 'containerd.choice');
  const choice = await readFile(choicePath, 'utf8').catch(() => undefined);
  if (choice?.trim() !== 'own') {
    const answer = await probe(options, options.address);
    if (answer === 'hung') throw hung(options.address);
    if (answer === 'answers') {
      if (choice === undefined) await remember(choicePath, 'found');
      return { address: options.address, own: false, ...(await stateBeside(options.address)) };
    }
    if (choice !== undefined) {
      const message = `containerd at ${options.address}, which holds this node's containers, is gone.`;
      throw coded('HM-RUNTIME-DOWN', message, { address: options.address }, 'systemctl start containerd');
    }
  }
  // Remembered first: what starts after this line is found again, whenever the daemon dies.
  if (choice === undefined) await remember(choicePath, 'own');
  await ensureOwn(options, own);
  return { address: own.socket, stateDir: own.state, own: true };
}

/**
 * Stops the containerd that this data folder's node started, if it runs, and forgets the choice. The node's containers
 * must be gone: whatever still runs would go on without anybody to ask for it. Answers whether one ran.
 */
export async function stopOwnContainerd(
  options: Pick<BootstrapOptions, 'dataDir' | 'clock'>,
): Promise<boolean> {
  const own = ownPaths(options.dataDir);
  const pid = await findOwn(own);
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const running = await findOwn(own);
    if (running === undefined) break;
    process.kill(running, signal);
    await waitUntil(options.clock, limits.killMs, async () => (await findOwn(own)) === undefined);
  }
  await rm(join(options.dataDir, 'containerd.choice'), { force: true });
  const isMounted = (await readFile('/proc/self/mountinfo', 'utf8')).includes(` ${own.state}/`);
  if (!isMounted && !own.state.startsWith(`${own.base}/`))
    await rm(join(own.state, '..'), { recursive: true, force: true });
  return pid !== undefined;
}

/** One that another node started keeps its state beside its socket: nodes of one machine may share it. */
async function stateBeside(address: string): Promise<{ readonly stateDir?: string }> {
  const stateDir = join(dirname(address), 'state');
  const isThere = await stat(stateDir).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return isThere ? { stateDir } : {};
}

/** Asks, again and again and cheaply, whether the containerd that this data folder's node started is there. */
export function ownWatch(dataDir: string): () => Promise<boolean> {
  const own = ownPaths(dataDir);
  let pid: number | undefined;
  return async () => {
    if (pid === undefined || !(await isOwn(pid, own))) pid = await findOwn(own);
    return pid !== undefined;
  };
}

async function ensureOwn(options: BootstrapOptions, own: OwnPaths): Promise<void> {
  const isFresh = (await findOwn(own)) === undefined;
  if (isFresh) await start(options, own);
  const answer = await waitUntil(options.clock, limits.containerdStartMs, async () => {
    const now = await probe(options, own.socket);
    // One that starts may be slow; one that ran before and says nothing hangs.
    const isSlow = now === 'down' || isFresh;
    return (now === 'answers' || !isSlow || (await findOwn(own)) === undefined) && now;
  });
  if (answer === 'answers') return;
  if (answer !== 'down') throw hung(own.socket);
  const lines = (await readFile(own.log, 'utf8').catch(() => '')).trim().split('\n');
  const message = `containerd does not start: ${lines.at(-1)}`;
  throw coded('HM-RUNTIME-DOWN', message, { address: own.socket, log: own.log });
}

async function start(options: BootstrapOptions, own: OwnPaths): Promise<void> {
  await mkdir(own.base, { recursive: true, mode: 0o700 });
  await mkdir(own.state, { recursive: true, mode: 0o711 });
  await writeFile(own.config, configText(own));
  const log = openSync(own.log, 'a', 0o600);
  try {
    const child = spawn(options.binary ?? 'containerd', ['--config', own.config], {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
      // Its children are containers' shims: nothing of the daemon's environment is theirs to know.
      env: { PATH: searchPath },
    });
    await new Promise<void>((started, failed) => {
      child.once('spawn', started);
      child.once('error', (error) => {
        const message = `containerd cannot be started: ${error.message}`;
        failed(coded('HM-RUNTIME-DOWN', message, { address: own.socket }, 'apt-get install containerd runc'));
      });
    });
    child.unref();
  } finally {
    closeSync(log);
  }
}

function ownPaths(dataDir: string): OwnPaths {
  const base = join(dataDir, 'containerd');
  const short = join(
    '/run/hivemind',
    `containerd-${createHash('sha256').update(base).digest('hex').slice(0, 12)}`,
  );
  const runDir = Buffer.byteLength(join(base, 'containerd.sock')) <= socketBytes ? base : short;
  return {
    base,
    config: join(base, 'config.toml'),
    root: join(base, 'root'),
    state: join(runDir, 'state'),
    socket: join(runDir, 'containerd.sock'),
    log: join(base, 'containerd.log'),
  };
}

/** Without Kubernetes' plug-in and the snapshotters that need special disks. */
function configText(own: OwnPaths): string {
  const disabled = [
    'io.containerd.grpc.v1.cri',
    'io.containerd.cri.v1.images',
    'io.containerd.cri.v1.runtime',
    'io.containerd.snapshotter.v1.aufs',
    'io.containerd.snapshotter.v1.btrfs',
    'io.containerd.snapshotter.v1.devmapper',
    'io.containerd.snapshotter.v1.zfs',
    'io.containerd.tracing.processor.v1.otlp',
    'io.containerd.internal.v1.tracing',
  ];
  return [
    'version = 2',
    `root = ${JSON.stringify(own.root)}`,
    `state = ${JSON.stringify(own.state)}`,
    `disabled_plugins = ${JSON.stringify(disabled)}`,
    '[grpc]',
    `  address = ${JSON.stringify(own.socket)}`,
    '[debug]',
    '  level = "warn"',
    '[plugins."io.containerd.internal.v1.opt"]',
    `  path = ${JSON.stringify(join(own.base, 'opt'))}`,
    '',
  ].join('\n');
}

async function findOwn(own: OwnPaths): Promise<number | undefined> {
  for (const name of await readdir('/proc')) {
    if (/^\d+$/.test(name) && (await isOwn(Number(name), own))) return Number(name);
  }
  return undefined;
}

/** The process that runs on our configuration: nothing else has that argument, and no pid file can be stale. */
async function isOwn(pid: number, own: OwnPaths): Promise<boolean> {
  const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
  return args[1] === '--config' && args[2] === own.config && args.length === 4;
}

type Answer = 'answers' | 'hung' | 'down';

async function probe(options: Pick<BootstrapOptions, 'clock'>, address: string): Promise<Answer> {
  const connection = connectContainerd({ address, namespace: 'hivemind', clock: options.clock });
  try {
    await connection.unary(Version.method.version, {}, { timeoutMs: limits.containerdProbeMs });
    return 'answers';
  } catch (error) {
    return failedWith(error, status.DEADLINE_EXCEEDED) ? 'hung' : 'down';
  } finally {
    connection.close();
  }
}

async function waitUntil<Value>(
  clock: Clock,
  withinMs: number,
  condition: () => Promise<Value | undefined | false>,
): Promise<Value | undefined> {
  const deadline = clock.monotonicMs() + withinMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (clock.monotonicMs() >= deadline) return undefined;
    await new Promise<void>((next) => clock.setTimer(pollMs, next));
  }
}

async function remember(path: string, choice: 'own' | 'found'): Promise<void> {
  await writeFile(`${path}.partial`, `${choice}\n`);
  await rename(`${path}.partial`, path);
}

function hung(address: string): Error {
  const message = `containerd at ${address} is there but does not answer.`;
  return coded('HM-RUNTIME-TIMEOUT', message, { address });
}
