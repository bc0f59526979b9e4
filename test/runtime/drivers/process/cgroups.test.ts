/** Where the process runtime writes: under version 2 into folders laid out as the kernel has them, and into this kernel's own. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Cgroups, openCgroups } from '../../../../runtime/drivers/container/process/cgroups.ts';
import { waitingParentScript } from '../../../../runtime/drivers/container/process/waiting-parent.ts';
import { until } from '../../../kit/until.ts';

const execute = promisify(execFile);

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

const opened = openCgroups('/a/folder/of/tests');

describe.skipIf('why' in opened)('in the kernel of this machine', () => {
  const cgroups = opened as Cgroups;
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hivemind-cgroup-'));
    await writeFile(join(folder, 'script'), waitingParentScript);
    for (const name of ['out', 'err']) await writeFile(join(folder, name), '');
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });
  const shell = (...args: readonly string[]) => execute('/bin/sh', [join(folder, 'script'), ...args]);
  const gone = () => until('it is gone', () => cgroups.remove('t-1'));

  test('who joins is counted and bounded, also after a change; nothing is left', async () => {
    const files = cgroups.joining('t-1').join(' ');
    await cgroups.make('t-1', { limits: { memoryBytes: 33_554_432, pids: 3 }, cpuset: '0' });
    expect((await cgroups.use('t-1')).memoryLimitBytes).toBe(33_554_432);
    const own = 'cat /proc/self/cgroup; (sleep 0; sleep 0 | sleep 0 | sleep 0) 2>&1; true';
    const { stdout } = await shell('beside', files, '/bin/sh', '-c', own);
    expect(stdout).toMatch(/pids:.*\/t-1$|^0::.*\/t-1$/m);
    expect(stdout).toMatch(/fork/i);
    for (const memoryBytes of [67_108_864, 16_777_216]) {
      await cgroups.update('t-1', { limits: { memoryBytes } });
      expect((await cgroups.use('t-1')).memoryLimitBytes).toBe(memoryBytes);
    }
    expect((await shell('beside', files, '/bin/sh', '-c', own)).stdout).not.toMatch(/fork/i);
    expect((await cgroups.use('t-1')).cpuNs).toBeGreaterThan(0);
    await cgroups.update('t-1', {});
    expect((await cgroups.use('t-1')).memoryLimitBytes).toBeUndefined();
    await gone();
    expect(existsSync(dirname(dirname(cgroups.joining('t-1')[0]!)))).toBe(false);
  });

  test('what ran out of memory says so in its exit file, and what ended otherwise does not', async () => {
    const run = async (command: string): Promise<string> => {
      await cgroups.make('t-1', { limits: { memoryBytes: 16_777_216 } });
      const files = ['exit', 'out', 'err'].map((name) => join(folder, name));
      const joining = cgroups.joining('t-1').join(' ');
      const args = ['parent', folder, ...files, '/usr/bin:/bin', joining, cgroups.oomFile('t-1')];
      const ended = shell(...args, '/bin/sh', '-c', command).catch(() => undefined);
      const first = await until('its first process stands still', async () => {
        const text = await readFile(join(folder, 'process'), 'utf8').catch(() => '');
        const stat = await readFile(`/proc/${Number.parseInt(text, 10)}/stat`, 'utf8').catch(() => '');
        return stat.includes(') T ') ? Number.parseInt(text, 10) : undefined;
      });
      process.kill(first, 'SIGCONT');
      await ended;
      await gone();
      await rm(join(folder, 'process'));
      return (await readFile(join(folder, 'exit'), 'utf8')).trim();
    };
    expect(await run('x=$(yes | head -c 200000000); echo $x')).toMatch(/^137 [1-9]/);
    expect(await run('exit 3')).toBe('3 0');
  });
});
