/** Reading containers: records joined with tasks. A record whose task is missing is a died create, and is told as such. */
import type { ContainerStatus } from '../../../../../protocols/containers/model.ts';
import { coded } from '../../../../../protocols/errors.ts';
import type { Call } from '../../../../../protocols/ports.ts';
import type { Engine } from '../engine.ts';
import { isGone } from '../failure.ts';
import { Containers, type Container } from '../gen/services/containers_pb.ts';
import { Tasks } from '../gen/services/tasks_pb.ts';
import type { Process } from '../gen/types/task_pb.ts';
import { oomKillsIn } from './cgroup.ts';
import { isContainerId, isOurs, phaseOf, statusOf } from './record.ts';

export interface Found {
  readonly record: Container;
  readonly task?: Process;
}

export async function find(engine: Engine, id: string, call: Call): Promise<Found | undefined> {
  if (!isContainerId(id)) return undefined;
  const limits = engine.callLimits(call);
  const [record, task] = await Promise.all([
    orGone(engine.connection.unary(Containers.method.get, { id }, limits)),
    orGone(engine.connection.unary(Tasks.method.get, { containerId: id }, limits)),
  ]);
  if (!record?.container) return undefined;
  return { record: record.container, ...(task?.process ? { task: task.process } : {}) };
}

/** HM-CONTAINER-UNKNOWN. */
export async function mustFind(engine: Engine, id: string, call: Call): Promise<Found> {
  const found = await find(engine, id, call);
  if (!found) throw coded('HM-CONTAINER-UNKNOWN', `No container has the id ${id}.`, { id });
  return found;
}

/** Running or paused. HM-CONTAINER-UNKNOWN, HM-CONTAINER-STOPPED. */
export async function mustLive(engine: Engine, id: string, call: Call): Promise<Required<Found>> {
  const { record, task } = await mustFind(engine, id, call);
  const phase = phaseOf(task);
  if (task && (phase === 'running' || phase === 'paused')) return { record, task };
  throw coded('HM-CONTAINER-STOPPED', `The container ${id} is not running.`, { id });
}

/** HM-CONTAINER-UNKNOWN, HM-CONTAINER-STOPPED, HM-CONTAINER-PAUSED. */
export async function mustRun(engine: Engine, id: string, call: Call): Promise<Required<Found>> {
  const { record, task } = await mustFind(engine, id, call);
  if (phaseOf(task) === 'paused')
    throw coded('HM-CONTAINER-PAUSED', `The container ${id} is paused.`, { id });
  if (!task || phaseOf(task) !== 'running') {
    throw coded('HM-CONTAINER-STOPPED', `The container ${id} is not running.`, { id });
  }
  return { record, task };
}

export async function inspect(engine: Engine, id: string, call: Call): Promise<ContainerStatus | undefined> {
  const found = await find(engine, id, call);
  return found && isOurs(found.record) ? await describe(engine, found) : undefined;
}

export async function list(engine: Engine, call: Call): Promise<readonly ContainerStatus[]> {
  const limits = engine.callLimits(call);
  const [records, tasks] = await Promise.all([
    recordsOf(engine, call),
    engine.connection.unary(Tasks.method.list, {}, limits),
  ]);
  const taskOf = new Map(tasks.tasks.map((task) => [task.id, task]));
  return Promise.all(
    records.filter(isOurs).map((record) => {
      const task = taskOf.get(record.id);
      return describe(engine, { record, ...(task ? { task } : {}) });
    }),
  );
}

async function recordsOf(engine: Engine, call: Call): Promise<readonly Container[]> {
  const records: Container[] = [];
  const stream = engine.connection.serverStream(Containers.method.listStream, {}, engine.callLimits(call));
  for await (const { container } of stream) if (container) records.push(container);
  return records;
}

async function describe(engine: Engine, { record, task }: Found): Promise<ContainerStatus> {
  // The cgroup of an ended container stays until its task is deleted: it still knows about meanwhile.
  const ended = phaseOf(task) === 'stopped';
  return statusOf(record, task, ended ? await oomKillsIn(engine.cgroups, engine.cgroupOf(record.id)) : 0);
}

async function orGone<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}
