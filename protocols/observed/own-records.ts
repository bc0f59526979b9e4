/**
 * What this node says of itself, from what it knows: measured facts and what its slots report. Small wavering of the
 * machine is no change; a record that would be too long says less.
 */
import { type Capacity } from '../apps/capacity.ts';
import type { SlotName } from '../apps/model.ts';
import type { SlotStatus } from '../apps/status.ts';
import { reason, type Reason } from '../errors.ts';
import { limits } from '../limits.ts';
import { CodecError, encodePlain } from '../wire/codec.ts';
import type { MachineFacts, NodeFacts, NodeResources, RecordKey, RuntimeFacts } from './model.ts';

export const factsKey = 'facts';
export const resourcesKey = 'resources';
export const containerPrefix = 'container/';
export const endpointPrefix = 'endpoint/';

export const containerKey = (slot: SlotName): RecordKey => containerPrefix + slot;
export const endpointKey = (slot: SlotName): RecordKey => endpointPrefix + slot;

/** Of what there is of it; less than this is wavering. A high load also wavers by as much of itself. */
const steps = { load: 0.25, memory: 0.02, disk: 0.01 } as const;

/** So many steps are told as soon as they are measured, a single one after `resourcesRestMs`: every node pulls what is told. */
const far = 3;

/** The record to tell: the one before, while nothing moved that far. Times are ms since 1970. */
export function resourcesOf(
  machine: MachineFacts,
  reserved: Capacity,
  measuredAt: number,
  before: NodeResources | undefined,
): NodeResources {
  const { load, memoryBytes, diskBytes } = machine;
  const next: NodeResources = {
    measuredAt,
    load,
    memoryBytes,
    memoryUsedBytes: memoryBytes - machine.memoryFreeBytes,
    diskBytes,
    diskUsedBytes: diskBytes - machine.diskFreeBytes,
    reserved,
  };
  if (!before) return next;
  const many = measuredAt - before.measuredAt >= limits.resourcesRestMs ? 1 : far;
  const moved =
    Math.abs(next.load - before.load) > many * steps.load * Math.max(1, machine.cpus, before.load) ||
    Math.abs(next.memoryUsedBytes - before.memoryUsedBytes) > many * steps.memory * memoryBytes ||
    Math.abs(next.diskUsedBytes - before.diskUsedBytes) > many * steps.disk * diskBytes ||
    memoryBytes !== before.memoryBytes ||
    diskBytes !== before.diskBytes ||
    reserved.cpus !== before.reserved.cpus ||
    reserved.memoryBytes !== before.reserved.memoryBytes;
  return moved ? next : before;
}

/** The machine as it was told. */
export function machineOf(
  { hostname, os, kernel, architecture, cpus, labels }: NodeFacts,
  { load, memoryBytes, memoryUsedBytes, diskBytes, diskUsedBytes }: NodeResources,
): MachineFacts {
  return {
    hostname,
    os,
    kernel,
    architecture,
    cpus,
    load,
    memoryBytes,
    memoryFreeBytes: memoryBytes - memoryUsedBytes,
    diskBytes,
    diskFreeBytes: diskBytes - diskUsedBytes,
    labels,
  };
}

export interface Told {
  readonly role: NodeFacts['role'];
  readonly version: string;
  readonly startedAt: number;
  readonly apiAddress?: string;
}

export function factsOf(
  { hostname, os, kernel, architecture, cpus, labels }: MachineFacts,
  told: Told,
  runtime: RuntimeFacts | undefined,
  because: Reason | undefined,
): NodeFacts {
  return {
    hostname,
    os,
    kernel,
    architecture,
    cpus,
    labels,
    ...told,
    ...(runtime ? { runtime } : because ? { reason: because } : {}),
  };
}

/** A slot's status as it can be told: with the reason shortened, then without what is long, until it fits. */
export function containerRecord(status: SlotStatus): SlotStatus | undefined {
  const { reason: because, next: _, ...rest } = status;
  const brief = because && reason(because.code, because.message.slice(0, 200));
  const attempts: readonly SlotStatus[] = [
    status,
    { ...rest, ...(brief ? { reason: brief } : {}) },
    { ...rest, ports: [], networks: [] },
  ];
  return attempts.find(fits);
}

export function fits(value: unknown): boolean {
  try {
    encodePlain(value, limits.recordBytes);
    return true;
  } catch (thrown) {
    if (thrown instanceof CodecError) return false;
    throw thrown;
  }
}
