/** What the machine under the node has and how busy it is, read from the kernel when somebody asks. Linux only. */
import { readFile, statfs } from 'node:fs/promises';
import { arch, availableParallelism, freemem, hostname, loadavg, release, totalmem, type } from 'node:os';
import type { MachineFacts } from '../../protocols/observed/model.ts';

const text = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');

export async function measureMachine(
  dataDir: string,
  labels: Readonly<Record<string, string>>,
): Promise<MachineFacts> {
  const [memory, distribution, disk] = await Promise.all([
    text('/proc/meminfo'),
    text('/etc/os-release'),
    statfs(dataDir),
  ]);
  const available = /^MemAvailable:\s+(\d+)/m.exec(memory)?.[1];
  return {
    hostname: hostname(),
    os: /^PRETTY_NAME="?([^"\n]*)/m.exec(distribution)?.[1] ?? type(),
    kernel: release(),
    architecture: arch(),
    cpus: availableParallelism(),
    load: loadavg()[0]!,
    memoryBytes: totalmem(),
    // What can be had counts caches in, which the kernel gives up.
    memoryFreeBytes: available === undefined ? freemem() : Number(available) * 1_024,
    diskBytes: disk.blocks * disk.bsize,
    diskFreeBytes: disk.bavail * disk.bsize,
    labels,
  };
}
