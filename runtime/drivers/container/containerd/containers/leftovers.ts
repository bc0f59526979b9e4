/**
 * What a died create leaves outside containerd's database: a bundle folder (the next create of the id would fail
 * with "file exists"), perhaps a mounted root file system in it, runc's own record, and processes in the cgroup.
 * Only called for an id that has no task any more; everything here is named by the id alone.
 */
import { execFile } from 'node:child_process';
import { access, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Call } from '../../../../../protocols/ports.ts';
import type { Engine } from '../engine.ts';
import { processesIn } from './cgroup.ts';

const run = promisify(execFile);
const bundles = 'io.containerd.runtime.v2.task';
/** Where the runc shim keeps runc's records unless its options say otherwise. */
const runcRoot = '/run/containerd/runc';

export async function sweepLeftovers(engine: Engine, id: string, call: Call): Promise<void> {
  const bundle = join(engine.stateDir, bundles, engine.namespace, id);
  const { rootDir } = await engine.facts(call);
  const work = rootDir && join(rootDir, bundles, engine.namespace, id);
  const state = join(runcRoot, engine.namespace, id);
  if (await exists(state)) {
    // Kills what runs, removes the cgroup and the record; a half-written record is refused, hence the rest.
    await run('runc', ['--root', join(runcRoot, engine.namespace), 'delete', '--force', id]).catch(() => {});
    await rm(state, { recursive: true, force: true });
  }
  for (const pid of await processesIn(engine.cgroups, engine.cgroupOf(id))) kill(pid);
  if (await exists(bundle)) {
    await run('umount', ['--lazy', join(bundle, 'rootfs')]).catch(() => {});
    // rmdir refuses while something is still mounted there: nothing of a mounted file system is ever deleted.
    await rmdir(join(bundle, 'rootfs')).catch(refuseUnlessGone);
    await rm(bundle, { recursive: true, force: true });
  }
  if (work) await rm(work, { recursive: true, force: true });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

function refuseUnlessGone(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
