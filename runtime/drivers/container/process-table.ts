/** Processes of the machine by number, from /proc. One that ends meanwhile is left out. */
import { readFile } from 'node:fs/promises';
import type { ContainerProcess } from '../../../protocols/containers/model.ts';

/** The kernel's clock of process times, and its pages, as Linux has them on all machines we run on. */
const ticksPerSecond = 100;
const pageBytes = 4_096;

export async function processesOf(pids: readonly number[]): Promise<readonly ContainerProcess[]> {
  const found = await Promise.all(pids.map((pid) => processOf(pid).catch(() => undefined)));
  return found.filter((one) => one !== undefined).sort((a, b) => a.pid - b.pid);
}

async function processOf(pid: number): Promise<ContainerProcess> {
  const [stat, status, words] = await Promise.all(
    ['stat', 'status', 'cmdline'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8')),
  );
  // Its name stands in brackets and may hold brackets and spaces itself.
  const name = stat!.slice(stat!.indexOf('(') + 1, stat!.lastIndexOf(')'));
  const fields = stat!.slice(stat!.lastIndexOf(')') + 2).split(' ');
  const number = (position: number) => Number(fields[position - 3]);
  return {
    pid,
    parent: number(4),
    uid: Number(/^Uid:\s+(\d+)/m.exec(status!)?.[1] ?? 0),
    state: fields[0]!,
    cpuMs: ((number(14) + number(15)) * 1_000) / ticksPerSecond,
    memoryBytes: number(24) * pageBytes,
    command: words!.replaceAll('\0', ' ').trim() || `[${name}]`,
  };
}
