/** What the machine under the node has and how busy it is, read from the kernel when somebody asks. Linux only. */
import { readFile, statfs } from 'node:fs/promises';
import { arch, availableParallelism, hostname, release } from 'node:os';
import type { MachineFacts } from '../../protocols/observed/model.ts';

/** A file of the kernel that is not there leaves its facts at 0 or empty. */
const text = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');

export async function measureMachine(
  dataDir: string,
  labels: Readonly<Record<string, string>>,
): Promise<MachineFacts> {
  const [memory, load, release_, disk] = await Promise.all([
    text('/proc/meminfo'),
    text('/proc/loadavg'),
    text('/etc/os-release'),
    statfs(dataDir),
  ]);
  const kilobytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(memory)?.[1] ?? 0);
  return {
    hostname: hostname(),
    os: /^PRETTY_NAME="?([^"\n]*)/m.exec(release_)?.[1] ?? 'Linux',
    kernel: release(),
    architecture: arch(),
    cpus: availableParallelism(),
    load: Number(load.split(' ')[0] ?? 0),
    memoryBytes: kilobytes('MemTotal') * 1_024,
    memoryFreeBytes: kilobytes('MemAvailable') * 1_024,
    diskBytes: disk.blocks * disk.bsize,
    diskFreeBytes: disk.bavail * disk.bsize,
    labels,
  };
}
