/**
 * A Debian as just installed, in a folder, and its systemd as process 1 of namespaces of its own: what installing
 * Hivemind is tried in. Everything in it ends with the one process that holds the namespaces; `end` also takes the
 * folder and the cgroups away. The first root is kept as a tar file under `.cache/`: making one takes a minute.
 */
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { until } from '../until.ts';

const cache = join(import.meta.dirname, '../../../.cache');
const release = 'bookworm';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface FreshRoot {
  readonly dir: string;
  /** A shell script in it, with this machine's network; services are not started. */
  run(script: string): Promise<Ran>;
  /** Copies a file of this machine into it. */
  put(from: string, to: string): Promise<void>;
  /** Its systemd as process 1, with an empty network. */
  boot(): Promise<BootedRoot>;
  end(): Promise<void>;
}

export interface BootedRoot {
  run(script: string): Promise<Ran>;
}

/** What is missing to make one here, in words. */
export function missingForFreshRoot(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root';
  for (const needed of ['debootstrap', 'unshare', 'nsenter', 'dpkg-deb', 'tar']) {
    try {
      execFileSync('which', [needed], { stdio: 'ignore' });
    } catch {
      return `${needed} is not installed`;
    }
  }
  return existsSync('/sys/fs/cgroup/memory') ? undefined : 'no cgroup v1 hierarchies to give to a systemd';
}

export async function makeFreshRoot(): Promise<FreshRoot> {
  const dir = await mkdtemp(join(tmpdir(), 'hm-root-'));
  const root = join(dir, 'root');
  const group = basename(dir);
  let booted: ChildProcess | undefined;
  await mkdir(root);
  try {
    must(await program('tar', ['-xf', await debian(), '-C', root]));
    await borrowNetwork(root);
  } catch (thrown) {
    await rm(dir, { recursive: true, force: true });
    throw thrown;
  }
  return {
    dir: root,
    run: (script) =>
      program('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', inside(root, script)]),
    put: (from, to) => copyFile(from, join(root, to)),
    boot: async () => {
      const log: string[] = [];
      booted = spawn('sh', ['-c', asProcessOne(root, group)], { stdio: ['ignore', 'pipe', 'pipe'] });
      for (const stream of [booted.stdout!, booted.stderr!])
        stream.on('data', (chunk: Buffer) => log.push(chunk.toString()));
      const holder = booted;
      const init = await until('process 1 of the root', () => Promise.resolve(initOf(holder.pid!)), 10_000);
      const enter = ['-t', String(init), '-m', '-p', '-n', '-u', '-i', 'env', '-i', searchPath, 'sh', '-c'];
      const run = (script: string) => program('nsenter', [...enter, script]);
      await until(
        'systemd runs',
        async () => {
          if (holder.exitCode !== null) throw new Error(`systemd ended: ${log.join('').slice(-2_000)}`);
          return /running|degraded/.test((await run('systemctl is-system-running')).stdout) || undefined;
        },
        60_000,
      );
      return { run };
    },
    end: async () => {
      booted?.kill('SIGKILL');
      if (booted && booted.exitCode === null && booted.signalCode === null)
        await new Promise((resolve) => booted!.once('exit', resolve));
      await until('its cgroups are empty and gone', () => removeGroups(group), 20_000);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

const searchPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Never rejects. */
function program(command: string, args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(
      command,
      [...args],
      { maxBuffer: 64 * 1024 * 1024, timeout: 300_000 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
        resolve({ code, stdout, stderr });
      },
    );
  });
}

/** Standard output of what went well. */
export function must({ code, stdout, stderr }: Ran): string {
  if (code !== 0) throw new Error(`exit ${code}: ${`${stdout}${stderr}`.slice(-3_000)}`);
  return stdout;
}

/** The tar file of a smallest Debian, from the mirror that this machine uses. */
async function debian(): Promise<string> {
  const file = join(cache, `debian-${release}.tar`);
  if (existsSync(file)) return file;
  const targets = must(
    await program('apt-get', ['indextargets', '--format', '$(REPO_URI)', `Codename: ${release}`]),
  );
  const mirror =
    targets.split('\n').find((line) => line.startsWith('http')) ?? 'http://deb.debian.org/debian';
  const made = await mkdtemp(join(tmpdir(), 'hm-debootstrap-'));
  try {
    must(await program('debootstrap', ['--variant=minbase', release, join(made, 'root'), mirror]));
    await mkdir(cache, { recursive: true });
    must(await program('tar', ['-cf', `${file}.${process.pid}`, '-C', join(made, 'root'), '.']));
    await rename(`${file}.${process.pid}`, file);
  } finally {
    await rm(made, { recursive: true, force: true });
  }
  return file;
}

/** So that its apt and npm reach what this machine's do. */
async function borrowNetwork(root: string): Promise<void> {
  const script = `
    cp -L /etc/resolv.conf ${root}/etc/resolv.conf; cp -L /etc/hosts ${root}/etc/hosts
    cp -r /etc/apt/apt.conf.d/. ${root}/etc/apt/apt.conf.d/
    mkdir -p ${root}/etc/ssl && cp -rL /etc/ssl/certs ${root}/etc/ssl/ 2>/dev/null
    printf '#!/bin/sh\\nexit 101\\n' > ${root}/usr/sbin/policy-rc.d && chmod 755 ${root}/usr/sbin/policy-rc.d`;
  must(await program('sh', ['-c', script]));
}

const inside = (root: string, script: string): string => `
  mount -t proc proc ${root}/proc && mount --rbind /sys ${root}/sys && mount --rbind /dev ${root}/dev || exit 125
  exec chroot ${root} env -i ${searchPath} HOME=/root DEBIAN_FRONTEND=noninteractive NODE_EXTRA_CA_CERTS=${certificates} sh -c ${quoted(script)}`;

/** Also those that this machine trusts beyond the usual ones. */
const certificates = '/etc/ssl/certs/ca-certificates.crt';

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * Namespaces of every kind, cgroups of its own below a group of ours, and only what a container's systemd expects to
 * find. The mounts go with the last process.
 */
const asProcessOne = (root: string, group: string): string => `
  for each in /sys/fs/cgroup/*/; do
    [ -e "$each/cgroup.procs" ] && [ ! -e "$each/cgroup.controllers" ] || continue
    mkdir -p "$each/${group}"
    case "$each" in */cpuset/) for f in cpuset.cpus cpuset.mems; do cat "$each/$f" > "$each/${group}/$f"; done;; esac
    echo $$ > "$each/${group}/cgroup.procs"
  done
  exec unshare --mount --propagation private --pid --fork --kill-child --net --uts --ipc --cgroup sh -c ${quoted(`
    R=${root}
    mount --bind $R $R && mount -t proc proc $R/proc && mount -t sysfs sysfs $R/sys || exit 125
    mount -t tmpfs tmpfs $R/sys/fs/cgroup -o mode=755
    for each in memory cpu cpuacct cpuset pids devices freezer blkio; do
      mkdir $R/sys/fs/cgroup/$each
      mount -t cgroup cgroup $R/sys/fs/cgroup/$each -o $each 2>/dev/null || rmdir $R/sys/fs/cgroup/$each
    done
    mkdir $R/sys/fs/cgroup/systemd && mount -t cgroup cgroup $R/sys/fs/cgroup/systemd -o none,name=systemd || exit 125
    mount -t tmpfs tmpfs $R/dev -o mode=755
    for each in null zero full random urandom tty; do touch $R/dev/$each; mount --bind /dev/$each $R/dev/$each; done
    mkdir $R/dev/pts $R/dev/shm && mount -t devpts devpts $R/dev/pts -o newinstance,ptmxmode=0666,mode=620
    ln -s pts/ptmx $R/dev/ptmx; ln -s /proc/self/fd $R/dev/fd; touch $R/dev/console
    mount -t tmpfs tmpfs $R/run -o mode=755 && mount -t tmpfs tmpfs $R/tmp && ip link set lo up
    cd $R && mkdir -p .old && pivot_root . .old && umount -l /.old
    exec env -i container=hivemind-test ${searchPath} /lib/systemd/systemd --unit=multi-user.target`)}`;

/** The process that the holder of the namespaces forked. */
function initOf(holder: number): number | undefined {
  try {
    const [child] = execFileSync('pgrep', ['-P', String(holder)], { encoding: 'utf8' }).split('\n');
    const pid = Number(child);
    const name = execFileSync('cat', [`/proc/${pid}/comm`], { encoding: 'utf8' }).trim();
    return name === 'systemd' ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** True once none is left. A cgroup can be removed when its last process is gone. */
async function removeGroups(group: string): Promise<true | undefined> {
  let left = 0;
  for (const hierarchy of await readdir('/sys/fs/cgroup')) {
    const top = join('/sys/fs/cgroup', hierarchy, group);
    if (!existsSync(top)) continue;
    const folders = (await readdir(top, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name));
    for (const folder of [...folders.toSorted((a, b) => b.length - a.length), top])
      await rmdir(folder).catch(() => (left += 1));
  }
  return left === 0 ? true : undefined;
}
