/**
 * Debian's docker-registry on a loopback port and a folder of its own, never the service; images come to it with skopeo.
 * Where either is missing, `missingForRegistry` says what, and the tests are skipped with that reason.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../node/daemon.ts';
import { until } from '../until.ts';

const run = promisify(execFile);

export interface TestRegistry {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly dir: string;
  /** An OCI archive's image, under this name and tag; answers the digest of its manifest. */
  push(archive: string, name: string, ...flags: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

export function missingForRegistry(): string | undefined {
  for (const program of ['docker-registry', 'skopeo', 'openssl']) {
    try {
      execFileSync('which', [program], { stdio: 'ignore' });
    } catch {
      return `${program} is not installed`;
    }
  }
  return undefined;
}

export interface RegistryAuth {
  /** Lines of its `auth:` block. */
  readonly config: string;
  /** `user:password` for pushes. */
  readonly pusher?: string;
}

export async function startRegistry(auth?: RegistryAuth): Promise<TestRegistry> {
  const dir = await mkdtemp(join(tmpdir(), 'hm-registry-'));
  const host = `127.0.0.1:${await freePort()}`;
  const config = join(dir, 'config.yml');
  await writeFile(
    config,
    `version: 0.1
log:
  level: error
storage:
  filesystem:
    rootdirectory: ${join(dir, 'storage')}
http:
  addr: ${host}
${auth ? `auth:\n${auth.config}` : ''}`,
  );
  const daemon = spawn('docker-registry', ['serve', config], { stdio: 'ignore', cwd: dir });
  await until('the registry answers', () =>
    fetch(`http://${host}/v2/`).then(
      () => true,
      () => false,
    ),
  );
  return {
    host,
    dir,
    push: async (archive, name, ...flags) => {
      const digestFile = join(dir, 'digest');
      const login = auth?.pusher === undefined ? [] : ['--dest-creds', auth.pusher];
      const to = ['--dest-tls-verify=false', ...login, '--digestfile', digestFile, ...flags];
      const from = archive.includes(':') ? archive : `oci-archive:${archive}`;
      await run('skopeo', ['--insecure-policy', 'copy', ...to, from, `docker://${host}/${name}`]);
      return (await run('cat', [digestFile])).stdout.trim();
    },
    stop: async () => {
      daemon.kill('SIGKILL');
      if (daemon.exitCode === null && daemon.signalCode === null) await once(daemon, 'exit');
      await rm(dir, { recursive: true, force: true });
    },
  };
}
