/**
 * A private containerd for tests: own root, state, socket and namespace in a temporary folder. A small shell waits
 * beside it until this process lets go of it, by `stop` or by dying in whatever way, and then ends everything that
 * was started and removes every trace: processes, mounts, cgroups, folders.
 *
 * It is real: containerd, runc and the kernel of this machine. Where they are missing, `missingForContainerd`
 * says what, and the tests are skipped with that reason.
 */
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
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
  const caretaker = startCaretaker(dir, namespace);
  const connection = connectContainerd({ address, namespace, clock: realClock });
  const runtimes: ContainerdRuntime[] = [];
  let daemon = await launch(dir, connection);

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
      for (const runtime of runtimes) runtime.close();
      connection.close();
      caretaker.stdin!.end();
      if (caretaker.exitCode === null) await once(caretaker, 'exit');
      if (caretaker.exitCode !== 0) throw new Error(`traces of ${dir} are left on this machine`);
    },
  };
}

/** Cleans up when its input ends. Everything is found by `DIR/` or the namespace, which nobody else has. */
const cleanUp = `
DIR=$1 NS=$2
cat > /dev/null
for round in $(seq 100); do
  printf %s "$DIR/" | grep -lsaF -f - /proc/[0-9]*/cmdline | while read -r file; do
    pid=\${file#/proc/}; kill -9 "\${pid%/cmdline}"
  done
  cat /sys/fs/cgroup/"$NS"/*/cgroup.procs /sys/fs/cgroup/*/"$NS"/*/cgroup.procs | sort -u | xargs -r kill -9
  while read -r _ _ _ _ path _; do
    case "$path" in "$DIR"/*) umount --lazy "$path" ;; esac
  done < /proc/self/mountinfo
  sed 's,unix://,,' "$DIR"/state/io.containerd.runtime.v2.task/*/*/address | xargs -r -n 1 rm -f
  rm -rf "$DIR" "/run/containerd/runc/$NS"
  rmdir /sys/fs/cgroup/"$NS"/* /sys/fs/cgroup/"$NS" /sys/fs/cgroup/*/"$NS"/* /sys/fs/cgroup/*/"$NS"
  ls -d "$DIR" /sys/fs/cgroup/"$NS" /sys/fs/cgroup/*/"$NS" || exit 0
  sleep 0.05
done > /dev/null 2>&1
exit 1
`;

function startCaretaker(dir: string, namespace: string): ChildProcess {
  const caretaker = spawn('sh', ['-c', cleanUp, 'sh', dir, namespace], {
    // Its own group: Ctrl-C at the terminal ends the tests, and then it has work to do.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
  });
  caretaker.unref();
  return caretaker;
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
