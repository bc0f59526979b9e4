/** Processes of containers as this machine sees them. */
import { readdirSync, readFileSync } from 'node:fs';

/** Pid of the first process of the slot's container: its cgroup names the container, and it is 1 in its own namespace. */
export function findProcess(slot: string): number {
  const [pid] = findProcesses(slot);
  if (pid === undefined) throw new Error(`no process of ${slot}`);
  return pid;
}

/** One for each container of the slot that is there: more than one means it was doubled. */
export function findProcesses(slot: string): number[] {
  // See `containerId`: the slot's name, its hash, then the numbers of the run.
  const container = new RegExp(`/${slot.replace(/[^A-Za-z0-9]+/g, '-')}-[0-9a-f]{16}-[0-9.]+$`, 'm');
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        const isFirst = /^NSpid:\t\d+\t1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
        return isFirst && container.test(readFileSync(`/proc/${pid}/cgroup`, 'utf8'));
      } catch {
        return false;
      }
    });
}
