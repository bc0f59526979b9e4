/**
 * A private containerd for tests: own root, state, socket and namespace in a temporary folder. `stop` ends it and
 * everything it ran and leaves nothing on the machine, also after a failed test, a kill or a stop signal.
 *
 * It is real: containerd, runc and the kernel of this machine. Where they are missing, `missingForContainerd`
 * says what, and the tests are skipped with that reason.
 */
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import type { ImageRunConfig } from '../../protocols/containers/oci/types.ts';
import {
  createContainerdRuntime,
  type ContainerdRuntime,
} from '../../runtime/drivers/container/containerd/driver.ts';
import type { ContainerdRuntimeOptions } from '../../runtime/drivers/container/containerd/engine.ts';
import { Images } from '../../runtime/drivers/container/containerd/gen/services/images_pb.ts';
import { Tasks } from '../../runtime/drivers/container/containerd/gen/services/tasks_pb.ts';
import { Version } from '../../runtime/drivers/container/containerd/gen/services/version_pb.ts';
import { connectContainerd, type Connection } from '../../runtime/drivers/container/containerd/rpc.ts';
import { realClock } from '../../runtime/world/real-clock.ts';
import { writeBusyboxArchive } from './busybox-image.ts';
import { until } from './until.ts';

export { realClock };

const run = promisify(execFile);

export interface TestContainerd {
  readonly dir: string;
  readonly address: string;
  readonly namespace: string;
  readonly stateDir: string;
  readonly cgroupParent: string;
  readonly connection: Connection;
  readonly pid: number;
  /** Busybox under this name, imported and unpacked. */
  addImage(
    name: string,
    options?: {
      readonly architecture?: string;
      readonly config?: ImageRunConfig;
      readonly snapshotter?: string;
      readonly marker?: string;
    },
  ): Promise<void>;
  /** A driver on it; closed by `stop`. */
  runtime(options?: Partial<ContainerdRuntimeOptions>): ContainerdRuntime;
  /** Existing empty files for a container's output. */
  logFiles(id: string): Promise<{ readonly stdoutPath: string; readonly stderrPath: string }>;
  /** SIGSTOP and SIGCONT. */
  freeze(): void;
  thaw(): void;
  /** kill −9 and a new one on the same folders; containers stay. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** What is missing to run one here, in words; undefined when nothing is. */
export function missingForContainerd(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root';
  for (const program of ['containerd', 'ctr', 'runc', 'mkfifo', 'umount']) {
    try {
      execFileSync('which', [program], { stdio: 'ignore' });
    } catch {
      return `${program} is not installed`;
    }
  }
  return undefined;
}

export async function startContainerd(): Promise<TestContainerd> {
  const dir = await mkdtemp(join(tmpdir(), 'hm-ctd-'));
  const suffix = basename(dir).slice('hm-ctd-'.length);
  const address = join(dir, 'c.sock');
  const namespace = `hivemind-test-${suffix}`;
  const stateDir = join(dir, 'state');
  const cgroupParent = `/${namespace}`;
  await writeFile(join(dir, 'config.toml'), configuration(dir, address));
  const connection = connectContainerd({ address, namespace, clock: realClock });
  const runtimes: ContainerdRuntime[] = [];
  let daemon = await launch(dir, connection);
  const sweepAtExit = () => sweepNow(daemon, address);
  process.once('exit', sweepAtExit);

  const kill = async () => {
    if (daemon.exitCode === null && daemon.signalCode === null) {
      daemon.kill('SIGKILL');
      await once(daemon, 'exit');
    }
  };
  return {
    dir,
    address,
    namespace,
    stateDir,
    cgroupParent,
    connection,
    get pid() {
      return daemon.pid!;
    },
    addImage: (name, options = {}) => addImage({ dir, address, namespace, connection }, name, options),
    runtime: (options = {}) => {
      const ioDir = join(dir, `io-${runtimes.length}`);
      const runtime = createContainerdRuntime({
        address,
        namespace,
        clock: realClock,
        ioDir,
        stateDir,
        cgroupParent,
        ...options,
      });
      runtimes.push(runtime);
      return runtime;
    },
    logFiles: async (id) => {
      const files = { stdoutPath: join(dir, `${id}.out`), stderrPath: join(dir, `${id}.err`) };
      await writeFile(files.stdoutPath, '');
      await writeFile(files.stderrPath, '');
      return files;
    },
    freeze: () => void daemon.kill('SIGSTOP'),
    thaw: () => void daemon.kill('SIGCONT'),
    kill,
    start: async () => {
      daemon = await launch(dir, connection);
    },
    stop: async () => {
      process.removeListener('exit', sweepAtExit);
      daemon.kill('SIGCONT');
      await endTasks(connection).catch(() => {});
      for (const runtime of runtimes) runtime.close();
      connection.close();
      await kill();
      sweepNow(daemon, address);
      await removeTraces(dir, namespace);
    },
  };
}

function configuration(dir: string, address: string): string {
  const unneeded = [
    'io.containerd.grpc.v1.cri',
    'io.containerd.internal.v1.opt',
    ...['aufs', 'btrfs', 'devmapper', 'zfs'].map((name) => `io.containerd.snapshotter.v1.${name}`),
  ];
  return `version = 2
root = ${JSON.stringify(join(dir, 'root'))}
state = ${JSON.stringify(join(dir, 'state'))}
disabled_plugins = ${JSON.stringify(unneeded)}
[grpc]
  address = ${JSON.stringify(address)}
[ttrpc]
  address = ${JSON.stringify(`${address}.ttrpc`)}
`;
}

async function launch(dir: string, connection: Connection): Promise<ChildProcess> {
  const log = openSync(join(dir, 'containerd.out'), 'a');
  const daemon = spawn('containerd', ['--config', join(dir, 'config.toml')], { stdio: ['ignore', log, log] });
  closeSync(log);
  await until('containerd answers', async () => {
    if (daemon.exitCode !== null) {
      throw new Error(`containerd ended: ${readFileSync(join(dir, 'containerd.out'), 'utf8').slice(-2_000)}`);
    }
    return connection.unary(Version.method.version, {}, { timeoutMs: 2_000 }).catch(() => undefined);
  });
  return daemon;
}

async function addImage(
  {
    dir,
    address,
    namespace,
    connection,
  }: Pick<TestContainerd, 'dir' | 'address' | 'namespace' | 'connection'>,
  name: string,
  options: {
    readonly architecture?: string;
    readonly config?: ImageRunConfig;
    readonly snapshotter?: string;
    readonly marker?: string;
  },
): Promise<void> {
  const archive = join(dir, 'image.tar');
  const { digest } = await writeBusyboxArchive(archive, { name, ...options });
  const ctr = ['--address', address, '--namespace', namespace, 'images', 'import', '--all-platforms'];
  await run('ctr', [...ctr, '--snapshotter', options.snapshotter ?? 'overlayfs', archive]);
  const limits = { timeoutMs: 10_000 };
  // ctr names it in its own way; the driver asks for the name as it is written in Compose files.
  const { images } = await connection.unary(Images.method.list, {}, limits);
  const target = images.find((image) => image.target?.digest === digest || image.name.endsWith(name))?.target;
  if (!target) throw new Error(`${name} was not imported: ${images.map((image) => image.name).join(', ')}`);
  if (!images.some((image) => image.name === name)) {
    await connection.unary(Images.method.create, { image: { name, target } }, limits);
  }
}

async function endTasks(connection: Connection): Promise<void> {
  const limits = { timeoutMs: 5_000 };
  const { tasks } = await connection.unary(Tasks.method.list, {}, limits);
  for (const { id: containerId } of tasks) {
    await connection.unary(Tasks.method.kill, { containerId, signal: 9, all: true }, limits).catch(() => {});
    await connection.unary(Tasks.method.wait, { containerId }, limits).catch(() => {});
    await connection.unary(Tasks.method.delete, { containerId }, limits).catch(() => {});
  }
}

/** Without waiting for anything: the daemon, its shims, and what they ran. */
function sweepNow(daemon: ChildProcess, address: string): void {
  daemon.kill('SIGKILL');
  for (const shim of shimsOf(address)) {
    for (const pid of childrenOf(shim)) killNow(pid);
    killNow(shim);
  }
}

function shimsOf(address: string): number[] {
  return numericEntries('/proc').filter((pid) => {
    const words = readOrEmpty(`/proc/${pid}/cmdline`).split('\0');
    return words[0]?.includes('containerd-shim') && words.includes(address);
  });
}

function childrenOf(pid: number): number[] {
  return numericEntries(`/proc/${pid}/task`).flatMap((thread) =>
    readOrEmpty(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
}

function numericEntries(path: string): number[] {
  try {
    return readdirSync(path)
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

async function removeTraces(dir: string, namespace: string): Promise<void> {
  const mounted = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(`${dir}/`));
  for (const path of mounted.reverse()) await run('umount', ['--lazy', path]).catch(() => {});
  await rm(dir, { recursive: true, force: true });
  await rm(join('/run/containerd/runc', namespace), { recursive: true, force: true });
  await removeCgroups(namespace);
}

/** Killed processes leave their cgroup a moment later. */
async function removeCgroups(namespace: string): Promise<void> {
  const folders = async () => {
    const hierarchies = ['/sys/fs/cgroup', ...numericOrNamed('/sys/fs/cgroup')];
    const found = hierarchies.map((root) => join(root, namespace)).filter((path) => exists(path));
    return found;
  };
  await until('the cgroups are empty', async () => {
    for (const parent of await folders()) {
      for (const entry of await readdir(parent, { withFileTypes: true }).catch(() => [])) {
        if (entry.isDirectory()) await rmdir(join(parent, entry.name)).catch(() => {});
      }
      await rmdir(parent).catch(() => {});
    }
    return (await folders()).length === 0;
  });
}

function numericOrNamed(path: string): string[] {
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(path, entry.name));
}

function exists(path: string): boolean {
  try {
    readdirSync(path);
    return true;
  } catch {
    return false;
  }
}
