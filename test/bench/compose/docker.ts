/**
 * The distribution's dockerd and docker-compose, with folders, socket and addresses of their own and no hand on the
 * machine's firewall: they meet nothing else on it, and `stop` leaves nothing of them.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from '../../kit/until.ts';

const run = promisify(execFile);

export interface Docker {
  docker(...args: readonly string[]): Promise<string>;
  compose(...args: readonly string[]): Promise<string>;
  /** An OCI archive, under a name. */
  load(archive: string, name: string): Promise<void>;
  stop(): Promise<void>;
}

/** What the machine lacks, or nothing. */
export function missingForDocker(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  const lacking = ['dockerd', 'docker-compose', 'skopeo'].filter(
    (program) => !['/usr/sbin', '/usr/bin'].some((folder) => existsSync(join(folder, program))),
  );
  return lacking.length > 0 ? `needs ${lacking.join(', ')}` : undefined;
}

/** Rejects with the last lines of dockerd's log when it does not come up here. */
export async function startDocker(): Promise<Docker> {
  const dir = await mkdtemp(join(tmpdir(), 'hm-docker-'));
  const socket = `unix://${join(dir, 'docker.sock')}`;
  const daemon = spawn('dockerd', [...ownPlaces(dir, socket), ...handsOff], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  daemon.stderr.on('data', (chunk: Buffer) => (log = (log + chunk.toString()).slice(-4_000)));
  const env = { ...process.env, DOCKER_HOST: socket };
  const call = async (program: string, args: readonly string[]) =>
    (await run(program, args, { env, cwd: dir, maxBuffer: 16 << 20 })).stdout;
  const docker: Docker = {
    docker: (...args) => call('/usr/bin/docker', args),
    compose: (...args) => call('docker-compose', args),
    load: async (archive, name) => {
      const copy = join(dir, 'image.tar');
      await run('skopeo', ['copy', `oci-archive:${archive}`, `docker-archive:${copy}:${name}:latest`]);
      await call('/usr/bin/docker', ['load', '--input', copy]);
      await rm(copy);
    },
    stop: async () => {
      // Its bridges would outlive it.
      const ids = (await docker.docker('ps', '--all', '--quiet').catch(() => '')).split('\n').filter(Boolean);
      if (ids.length > 0) await docker.docker('rm', '--force', ...ids).catch(() => '');
      await docker.docker('network', 'prune', '--force').catch(() => '');
      await end(daemon, dir);
    },
  };
  try {
    await until('dockerd answers', () => {
      if (daemon.exitCode !== null) throw new Error(`dockerd ended: ${log.trim().split('\n').at(-1)}`);
      return docker.docker('version').then(
        () => true,
        () => false,
      );
    });
    return docker;
  } catch (thrown) {
    await docker.stop();
    throw thrown;
  }
}

const ownPlaces = (dir: string, socket: string): readonly string[] => [
  ...['--host', socket],
  ...['--data-root', join(dir, 'data')],
  ...['--exec-root', join(dir, 'exec')],
  ...['--pidfile', join(dir, 'pid')],
  ...['--default-address-pool', 'base=10.251.0.0/16,size=24'],
];
/** No bridge of its own, no rule, no switch of the kernel. */
const handsOff = [
  '--bridge=none',
  '--iptables=false',
  '--ip6tables=false',
  '--ip-forward=false',
  '--ip-masq=false',
];

async function end(daemon: ChildProcess, dir: string): Promise<void> {
  if (daemon.exitCode === null && daemon.signalCode === null) {
    const exited = once(daemon, 'exit');
    daemon.kill('SIGTERM');
    await exited;
  }
  await rm(dir, { recursive: true, force: true, maxRetries: 5 });
}
