/**
 * What a died create leaves outside containerd's database: a bundle folder (the next create of the id would fail
 * with "file exists"), perhaps a mounted root file system in it, runc's own record, and processes in the cgroup.
 * Only called for an id that has no task any more; everything here is named by the id alone.
 */
import { execFile } from 'node:child_process';
import { access, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Call } from '../../../../../protocols/ports.ts';
import type { Engine } from '../engine.ts';
import { processesIn } from './cgroup.ts';

const run = promisify(execFile);
const bundles = 'io.containerd.runtime.v2.task';
/** Where the runc shim keeps runc's records unless its options say otherwise. */
export const runcRoot = '/run/containerd/runc';

/** containerd's folder of a container that has a task. */
export function bundleOf(engine: Engine, id: string): string {
  return join(engine.stateDir, bundles, engine.namespace, id);
}

/**
 * `died`: the record had no task. Then processes are looked for even if no folder is left: containerd may have
 * removed the bundle of a shim that it had just started and never came to know.
 */
export async function sweepLeftovers(engine: Engine, id: string, died: boolean, call: Call): Promise<void> {
  const bundle = bundleOf(engine, id);
  const state = join(runcRoot, engine.namespace, id);
  const { rootDir } = await engine.facts(call);
  if (died || (await exists(bundle)) || (await exists(state))) {
    // First whoever might still be making it: a shim lives on when containerd dies, and so does its runc.
    await killMakers(engine.namespace, id);
    for (const pid of await processesIn(engine.cgroups, engine.cgroupOf(id))) kill(pid);
    // Ends what runs and removes cgroup and record; a half-written record it refuses, hence the rest.
    const root = join(runcRoot, engine.namespace);
    if (await exists(state)) {
      await run('runc', ['--root', root, 'delete', '--force', id]).catch(() => {});
      await rm(state, { recursive: true, force: true });
    }
    if (await exists(bundle)) await removeBundle(bundle);
  }
  if (rootDir) {
    await rm(join(rootDir, bundles, engine.namespace, id), { recursive: true, force: true });
  }
}

async function removeBundle(bundle: string): Promise<void> {
  const address = await readFile(join(bundle, 'address'), 'utf8').catch(() => '');
  const socket = /^unix:\/\/(\/run\/containerd\/s\/[0-9a-f]+)$/.exec(address.trim())?.[1];
  if (socket !== undefined) await rm(socket, { force: true });
  const rootfs = join(bundle, 'rootfs');
  await run('umount', ['--lazy', rootfs]).catch(() => {});
  // rmdir refuses while something is still mounted there: nothing of a mounted file system is ever deleted.
  await rmdir(rootfs).catch(refuseUnlessGone);
  await rm(bundle, { recursive: true, force: true });
}

/** Again until none is left: the one that was killed may just have started the next. */
async function killMakers(namespace: string, id: string): Promise<void> {
  const killed = new Set<number>();
  for (;;) {
    const fresh = (await makersOf(namespace, id)).filter((pid) => !killed.has(pid));
    if (fresh.length === 0) return;
    for (const pid of fresh) {
      kill(pid);
      killed.add(pid);
    }
  }
}

/** `containerd-shim-runc-v2 -namespace N … -id I` and `runc --root …/N … I`. */
async function makersOf(namespace: string, id: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const words = (await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '')).split('\0');
    const isMaker = /(?:^|\/)(?:containerd-shim[^/]*|runc)$/.test(words[0] ?? '');
    const isOurs = words.includes(namespace) || words.includes(join(runcRoot, namespace));
    if (isMaker && isOurs && words.includes(id)) found.push(Number(entry));
  }
  return found;
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
