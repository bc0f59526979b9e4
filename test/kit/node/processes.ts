/** Processes of containers as this machine sees them. */
import { readdirSync, readFileSync } from 'node:fs';
import type { TestDaemon } from './daemon.ts';

/** What is asked of a node is answered of its own containers: others may run an app of the same name. */
type Node = Pick<TestDaemon, 'name'>;

/** Pid of the first process of the slot's container: its cgroup names the container, and it is 1 in its own namespace. */
export function findProcess(node: Node, slot: string): number {
  const [pid] = findProcesses(node, slot);
  if (pid === undefined) throw new Error(`no process of ${slot}`);
  return pid;
}

/** One for each container of the slot that is there: more than one means it was doubled. */
export function findProcesses({ name }: Node, slot: string): number[] {
  // The node's cgroup, then `containerId`: the slot's name, its hash, the numbers of the run.
  const container = new RegExp(
    `/hivemind-${name}/${slot.replace(/[^A-Za-z0-9]+/g, '-')}-[0-9a-f]{16}-[0-9.]+$`,
    'm',
  );
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
