/** Processes of containers as this machine sees them. */
import { readdirSync, readFileSync } from 'node:fs';

/** Pid of the first process of the slot's container: its environment names the slot, and it is 1 in its own namespace. */
export function findProcess(slot: string): number {
  const [pid] = findProcesses(slot);
  if (pid === undefined) throw new Error(`no process of ${slot}`);
  return pid;
}

/** One for each container of the slot that is there: more than one means it was doubled. */
export function findProcesses(slot: string): number[] {
  const marker = `HIVEMIND_SLOT=${slot}\0`;
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        const isFirst = /^NSpid:\t\d+\t1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
        return isFirst && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(marker);
      } catch {
        return false;
      }
    });
}
