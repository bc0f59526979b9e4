/**
 * The cgroups of this node's containers, read and tidied in the file system: what the kernel's out-of-memory
 * killer did there, who is still in one, and removal of those that nobody uses. Limits are runc's work.
 */
import { readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';

const mountPoint = '/sys/fs/cgroup';

/** How many processes the kernel killed for memory in this cgroup. 0 when it is gone. */
export async function oomKillsIn(cgroups: 1 | 2, path: string): Promise<number> {
  const file =
    cgroups === 2
      ? join(mountPoint, path, 'memory.events')
      : join(mountPoint, 'memory', path, 'memory.oom_control');
  const text = await readFile(file, 'utf8').catch(() => '');
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}

/** Processes in the cgroup, in any hierarchy. */
export async function processesIn(cgroups: 1 | 2, path: string): Promise<readonly number[]> {
  const found = new Set<number>();
  for (const root of await hierarchies(cgroups)) {
    const text = await readFile(join(root, path, 'cgroup.procs'), 'utf8').catch(() => '');
    for (const line of text.split('\n')) if (line !== '') found.add(Number(line));
  }
  return [...found];
}

/** Removes the cgroup from every hierarchy where nothing is in it; one in use stays. */
export async function removeIdleCgroup(cgroups: 1 | 2, path: string): Promise<void> {
  for (const root of await hierarchies(cgroups)) {
    await rmdir(join(root, path)).catch(() => {});
  }
}

async function hierarchies(cgroups: 1 | 2): Promise<readonly string[]> {
  if (cgroups === 2) return [mountPoint];
  const entries = await readdir(mountPoint, { withFileTypes: true }).catch(() => []);
  // Version 1 has a folder a controller; links such as `cpu` → `cpu,cpuacct` name the same one twice.
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(mountPoint, entry.name));
}
