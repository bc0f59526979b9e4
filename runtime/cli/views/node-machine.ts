/** What a node said of its machine, for people: what there is, what is taken, and how old that is. */
import type { NodeRow } from '../connection/answers.ts';
import { age, bytes, elapsed } from '../output/units.ts';

/** Running of held. */
export const slotsText = ({ slots, running = 0 }: NodeRow): string =>
  slots === undefined ? '-' : `${running}/${slots}`;

/** Runnable processes over the last minute, of processors. */
export const loadText = ({ machine }: NodeRow): string =>
  machine ? `${machine.load.toFixed(1)}/${machine.cpus}` : '-';

export const memoryText = ({ machine }: NodeRow): string =>
  machine ? used(machine.memoryBytes, machine.memoryFreeBytes) : '-';

export const diskText = ({ machine }: NodeRow): string =>
  machine ? used(machine.diskBytes, machine.diskFreeBytes) : '-';

const used = (all: number, free: number): string => `${bytes(all - free)}/${bytes(all)}`;

export const reservedText = ({ reserved }: NodeRow): string =>
  !reserved || (reserved.cpus === 0 && reserved.memoryBytes === 0)
    ? '-'
    : `${Number(reserved.cpus.toFixed(3))} CPUs, ${bytes(reserved.memoryBytes)}`;

/** `now`, `4s ago`, `4s ago, newer is told of`. */
export function asOf({ observed, member }: NodeRow, now: number): string {
  if (!observed) return member?.self === false ? '-' : 'now';
  return `${age(now - observed.at)} ago${observed.stale ? ', newer is told of' : ''}`;
}

export function recordsText(row: NodeRow, now: number): string[] {
  const { observed, runtime, machine } = row;
  const labels = Object.entries(machine?.labels ?? {}).map(([key, value]) => `${key}=${value}`);
  const reserved = reservedText(row);
  return [
    ...(reserved === '-' ? [] : [`  reserved   ${reserved}`]),
    ...(runtime ? [`  runtime    ${runtime.name} ${runtime.version}, ${runtime.platform}`] : []),
    ...(labels.length > 0 ? [`  labels     ${labels.join(', ')}`] : []),
    ...(observed
      ? [
          `  as of      ${elapsed(Math.max(0, now - observed.at))} ago, version ${observed.version.boot}.${observed.version.sequence} of its records${observed.stale ? '; newer ones are told of' : ''}`,
        ]
      : []),
  ];
}
