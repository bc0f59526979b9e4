/** Whether what services reserve (`deploy.resources.reservations`) fits on a machine. Limits are no promise: they may exceed it. */
import { coded, type CodedError } from '../errors.ts';
import type { Assignment, SlotName } from './model.ts';
import type { ServiceParts } from './service-model.ts';

export interface Capacity {
  readonly cpus: number;
  readonly memoryBytes: number;
}

/** A service beside how many of it there shall be. */
export interface Demand {
  readonly name: string;
  readonly resources?: ServiceParts['resources'];
  readonly replicas: number;
}

const nothing: Capacity = { cpus: 0, memoryBytes: 0 };

/** What one replica of it reserves. */
export function reservationOf({ resources }: Demand): Capacity {
  const { cpus = 0, memoryBytes = 0 } = resources?.reservations ?? {};
  return { cpus, memoryBytes };
}

/** Of all replicas together. */
export const reservedBy = (demands: readonly Demand[]): Capacity =>
  demands.reduce((sum, demand) => {
    const { cpus, memoryBytes } = reservationOf(demand);
    return {
      cpus: sum.cpus + cpus * demand.replicas,
      memoryBytes: sum.memoryBytes + memoryBytes * demand.replicas,
    };
  }, nothing);

/** By the slots of a node. */
export const reservedByHeld = (held: Readonly<Record<SlotName, Assignment>>): Capacity =>
  reservedBy(
    Object.values(held).map(({ slot, spec }) => ({ name: slot, resources: spec.resources, replicas: 1 })),
  );

/** HM-NODE-CAPACITY when `demands` do not fit beside what others `reserved`; the first dimension that is short is told. */
export function shortage(
  demands: readonly Demand[],
  reserved: Capacity,
  capacity: Capacity,
): CodedError | undefined {
  const wanted = reservedBy(demands);
  for (const [dimension, tell] of [
    ['memoryBytes', mebibytes],
    ['cpus', cpus],
  ] as const) {
    if (wanted[dimension] === 0 || wanted[dimension] + reserved[dimension] <= capacity[dimension]) continue;
    const largest = demands.toSorted((a, b) => partOf(b, dimension) - partOf(a, dimension))[0]!;
    const others = reserved[dimension] === 0 ? '' : `, ${tell(reserved[dimension])} of them reserved already`;
    const each = `${largest.name} reserves ${tell(reservationOf(largest)[dimension])} × ${largest.replicas}`;
    const text = `The node has ${tell(capacity[dimension])}${others}; ${tell(wanted[dimension])} are asked for: ${each}`;
    return coded('HM-NODE-CAPACITY', text, {
      service: largest.name,
      wanted: wanted[dimension],
      reserved: reserved[dimension],
      capacity: capacity[dimension],
    });
  }
  return undefined;
}

const partOf = (demand: Demand, dimension: keyof Capacity): number =>
  reservationOf(demand)[dimension] * demand.replicas;

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
const cpus = (count: number): string => `${Number(count.toFixed(3))} CPUs`;
