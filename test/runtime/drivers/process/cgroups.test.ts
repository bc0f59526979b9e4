/** Where the process runtime writes, under cgroup version 2: folders laid out as the kernel lays them out. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Cgroups } from '../../../../runtime/drivers/container/process/cgroups.ts';

let mount: string;
beforeEach(async () => {
  mount = await mkdtemp(join(tmpdir(), 'hivemind-cgroup2-'));
  await writeFile(join(mount, 'cgroup.subtree_control'), '');
});
afterEach(() => rm(mount, { recursive: true }));

/** The files that the kernel makes with a cgroup. */
async function kernelMakes(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of ['memory.max', 'memory.swap.max', 'memory.low', 'cpu.max', 'cpu.weight', 'cpuset.cpus'])
    await writeFile(join(folder, name), '');
  await writeFile(join(folder, 'pids.max'), 'max');
}

test('controllers are handed down, limits written, numbers read', async () => {
  const cgroups = new Cgroups(mount, 2, 'hivemind-x');
  const joining = cgroups.joining('web-1');
  expect(joining).toEqual([join(mount, 'hivemind-x/web-1/cgroup.procs')]);
  const folder = dirname(joining[0]!);
  await kernelMakes(folder);
  await cgroups.make('web-1', { limits: { memoryBytes: 1_000, cpus: 0.5, pids: 7 } });
  const at = (name: string) => readFile(join(folder, name), 'utf8');
  expect(await Promise.all(['memory.max', 'memory.swap.max', 'cpu.max', 'pids.max'].map(at))).toEqual([
    '1000',
    '1000',
    '50000 100000',
    '7',
  ]);
  expect(await readFile(join(mount, 'cgroup.subtree_control'), 'utf8')).not.toBe('');
  expect(await readdir(join(mount, 'hivemind-x'))).toContain('cgroup.subtree_control');

  await writeFile(join(folder, 'cpu.stat'), 'usage_usec 1234\nuser_usec 1000\n');
  expect(await cgroups.use('web-1')).toEqual({ cpuNs: 1_234_000, memoryLimitBytes: 1_000 });
  await writeFile(join(folder, 'cpuset.cpus'), '');
  await writeFile(join(mount, 'cpuset.cpus.effective'), '0-3\n');
  await cgroups.update('web-1', {});
  expect(await Promise.all(['memory.max', 'cpu.max', 'cpuset.cpus'].map(at))).toEqual([
    'max',
    'max 100000',
    '0-3',
  ]);
  expect((await cgroups.use('web-1')).memoryLimitBytes).toBeUndefined();
  expect(cgroups.oomFile('web-1')).toBe(join(folder, 'memory.events'));
});

test('a limit that the kernel does not have is refused, not written beside it', async () => {
  const cgroups = new Cgroups(mount, 2, 'hivemind-x');
  const folder = dirname(cgroups.joining('web-1')[0]!);
  await mkdir(folder, { recursive: true });
  await expect(cgroups.make('web-1', { limits: { pids: 7 } })).rejects.toThrow('pids.max');
  expect(await readdir(folder)).toEqual([]);
});

test('what is still in use stays, and is said to', async () => {
  const cgroups = new Cgroups(mount, 2, 'hivemind-x');
  const folder = dirname(cgroups.joining('web-1')[0]!);
  await kernelMakes(folder);
  expect(await cgroups.remove('web-1')).toBe(false);
  await rm(folder, { recursive: true });
  expect(await cgroups.remove('web-1')).toBe(true);
  expect(await readdir(mount)).toEqual(['cgroup.subtree_control']);
});
