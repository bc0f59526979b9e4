/**
 * A container record's labels, written at create and read back at adoption: all that a daemon which lost its
 * memory needs to know its containers again. And the join of record and task to what the port calls a status.
 */
import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { lendingSlot } from '../../../../../protocols/apps/model.ts';
import type {
  ContainerCreate,
  ContainerExit,
  ContainerStatus,
  RuntimePhase,
} from '../../../../../protocols/containers/model.ts';
import { limits } from '../../../../../protocols/limits.ts';
import { refusal } from '../../../../../protocols/containers/oci/refusal.ts';
import { resourcesMark } from '../../../../../protocols/containers/oci/resources.ts';
import type { Container } from '../gen/services/containers_pb.ts';
import { Status, type Process } from '../gen/types/task_pb.ts';

const label = {
  node: 'hivemind.node',
  slot: 'hivemind.slot',
  placement: 'hivemind.placement',
  run: 'hivemind.run',
  attempt: 'hivemind.attempt',
  specHash: 'hivemind.spec-hash',
  address: 'hivemind.address',
  /** The slot whose network it has. */
  lender: 'hivemind.network-of',
  stopSignal: 'hivemind.stop-signal',
  resources: 'hivemind.resources',
} as const;

/** containerd's bound of a label. */
const labelBytes = 4_096;

/** What containerd takes for an id, and what is safe as the name of a folder. */
export function isContainerId(id: string): boolean {
  return id.length <= limits.containerIdChars && /^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$/.test(id);
}

export function labelsOf(
  create: ContainerCreate,
  namespace: string,
  stopSignal: string,
): Record<string, string> {
  const lender = lendingSlot(create.key.slot, create.spec);
  return {
    ...ownLabels(create.spec.labels ?? {}),
    ...(lender === undefined ? {} : { [label.lender]: lender }),
    [label.resources]: resourcesMark(create.spec.resources),
    [label.node]: namespace,
    [label.slot]: create.key.slot,
    [label.placement]: String(create.key.placement),
    [label.run]: String(create.key.run),
    [label.attempt]: String(create.key.attempt),
    [label.specHash]: create.specHash,
    ...(create.address === undefined ? {} : { [label.address]: create.address }),
    [label.stopSignal]: stopSignal,
  };
}

/** The service's, beside ours. containerd bounds the length of each. */
function ownLabels(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(labels)) {
    if (name.startsWith('hivemind.'))
      throw refusal('labels', `${name}: names that begin with hivemind. are ours`);
    if (Buffer.byteLength(name) + Buffer.byteLength(value) > labelBytes)
      throw refusal('labels', `${name}: name and value together have more than ${labelBytes} bytes`);
  }
  return labels;
}

/** Labels with which a record says what its container may use now. */
export function resourceLabels(mark: string): Record<string, string> {
  return { [label.resources]: mark };
}

/** Made by Hivemind, and not by somebody else who uses the same namespace of containerd. */
export function isOurs(record: Container): boolean {
  return record.labels[label.slot] !== undefined;
}

export function stopSignalOfRecord(record: Container): string {
  return record.labels[label.stopSignal] ?? 'SIGTERM';
}

const phases: Readonly<Record<number, RuntimePhase>> = {
  [Status.CREATED]: 'created',
  [Status.RUNNING]: 'running',
  [Status.PAUSED]: 'paused',
  [Status.PAUSING]: 'paused',
  [Status.STOPPED]: 'stopped',
};

/**
 * No task: `unknown`, a leftover of a died create. A task whose shim does not answer is none: it counts as running
 * until its exit is told, so that nobody replaces what may be alive.
 */
export function phaseOf(task: Process | undefined): RuntimePhase {
  return task ? (phases[task.status] ?? 'running') : 'unknown';
}

export function statusOf(record: Container, task: Process | undefined, oomKills: number): ContainerStatus {
  const phase = phaseOf(task);
  const address = record.labels[label.address];
  const resources = record.labels[label.resources];
  const lender = record.labels[label.lender];
  return {
    id: record.id,
    key: {
      slot: record.labels[label.slot] ?? '',
      placement: Number(record.labels[label.placement]),
      run: Number(record.labels[label.run]),
      attempt: Number(record.labels[label.attempt]),
    },
    specHash: record.labels[label.specHash] ?? '',
    phase,
    ...(task && task.pid > 0 && phase !== 'stopped' ? { pid: task.pid } : {}),
    ...(address === undefined ? {} : { address }),
    ...(resources === undefined ? {} : { resources }),
    ...(lender === undefined ? {} : { lender }),
    ...(task && phase === 'stopped' ? { exit: exitOf(task.exitStatus, task.exitedAt, oomKills) } : {}),
    createdAt: msOf(record.createdAt),
  };
}

/** An end with code 0 was not the kernel's doing, whatever it killed inside before. */
export function exitOf(exitStatus: number, exitedAt: Timestamp | undefined, oomKills: number): ContainerExit {
  return { code: exitStatus, at: msOf(exitedAt), oomKilled: oomKills > 0 && exitStatus !== 0 };
}

function msOf(time: Timestamp | undefined): number {
  return time ? Number(time.seconds) * 1_000 + Math.floor(time.nanos / 1_000_000) : 0;
}
