/**
 * The ContainerRuntime port over containerd: composes the rooms in `containers/`, puts operations on one id in a
 * row, and turns every failure into a coded one. Images are imported elsewhere (`images/`); networks are not
 * containerd's business.
 */
import { status } from '@grpc/grpc-js';
import { coded, type ErrorCode } from '../../../../protocols/errors.ts';
import type { Call, ContainerRuntime, Stop } from '../../../../protocols/ports.ts';
import { readFiles, writeFiles } from '../../../files/copy.ts';
import { processesOf } from '../process-table.ts';
import { processesIn, removeIdleCgroup } from './containers/cgroup.ts';
import { createContainerCreator } from './containers/create.ts';
import { followEvents } from './containers/events.ts';
import { createExecs } from './containers/exec.ts';
import { inspect, list, mustFind, mustLive } from './containers/lookup.ts';
import { readCdiStock } from './containers/machine/cdi.ts';
import { phaseOf, stopSignalOfRecord } from './containers/record.ts';
import { killAll, removeContainer } from './containers/remove.ts';
import { pauseContainer, unpauseContainer, updateResources } from './containers/running/changes.ts';
import { signalNumber } from '../signals.ts';
import { createOrphans } from './containers/running/orphans.ts';
import { createSerial, type Serial } from '../serial.ts';
import { readStats } from './containers/stats.ts';
import { openEngine, type ContainerdRuntimeOptions, type Engine } from './engine.ts';
import { codedFailure, failedWith, failureText, isGone } from './failure.ts';
import { Tasks } from './gen/services/tasks_pb.ts';
import { Version } from './gen/services/version_pb.ts';

export type ContainerdRuntime = ContainerRuntime & {
  /** Ends the event streams and lets go of the connection; containers stay. */
  close(): void;
};

/** Connects at the first call; containerd need not run yet. */
export function createContainerdRuntime(options: ContainerdRuntimeOptions): ContainerdRuntime {
  const engine = openEngine(options);
  const serial = createSerial();
  const create = createContainerCreator(engine);
  const execs = createExecs(engine);
  const orphans = createOrphans(engine, execs.isOwn);
  const streams = new Set<Stop>();
  return {
    info: (_, call) => guard({}, () => info(engine, call)),
    list: (_, call) =>
      guard({}, async () => {
        const containers = await list(engine, call);
        orphans.end(containers);
        return { containers };
      }),
    inspect: ({ id }, call) =>
      guard({ id }, async () => {
        const container = await inspect(engine, id, call);
        return container ? { container } : {};
      }),
    create: (args, call) =>
      guard({ id: args.id, slot: args.key.slot }, () =>
        serial.run(args.id, call.signal, () => {
          execs.forget(args.id);
          return create(args, call);
        }),
      ),
    start: ({ id }, call) => guard({ id }, () => serial.run(id, call.signal, () => start(engine, id, call))),
    signal: ({ id, signal }, call) => guard({ id }, () => sendSignal(engine, id, signal, call)),
    kill: ({ id }, call) =>
      guard({ id }, async () => {
        await mustFind(engine, id, call);
        await killAll(engine, id, call);
        return {};
      }),
    ...changes(engine, serial),
    remove: ({ id }, call) => {
      execs.forget(id);
      return guard({ id }, () => remove(engine, serial, id, call));
    },
    stats: ({ ids, disk = false }, call) =>
      guard({}, async () => ({ stats: await readStats(engine, ids, disk, call) })),
    processes: ({ id }, call) =>
      guard({ id }, async () => {
        await mustLive(engine, id, call);
        return { processes: await processesOf(await processesIn(engine.cgroups, engine.cgroupOf(id))) };
      }),
    ...files(engine),
    run: (request, call) => guard({ id: request.id }, () => execs.run(request, call)),
    exec: (request, call) => guard({ id: request.id }, () => execs.exec(request, call)),
    events: (notify) => {
      const stop = followEvents(engine, notify);
      streams.add(stop);
      return () => {
        streams.delete(stop);
        stop();
      };
    },
    close: () => {
      for (const stop of streams) stop();
      execs.close();
      engine.connection.close();
    },
  };
}

async function guard<T>(
  evidence: Readonly<Record<string, string>>,
  work: () => Promise<T>,
  otherwise: ErrorCode = 'HM-CONTAINER-CREATE',
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw codedFailure(error, evidence, otherwise);
  }
}

async function info(engine: Engine, call: Call) {
  const { version } = await engine.connection.unary(Version.method.version, {}, engine.callLimits(call));
  const { snapshotter, platform } = await engine.facts(call);
  const cdi = await readCdiStock(engine.cdiFolders);
  return { name: 'containerd' as const, version, snapshotter, cgroups: engine.cgroups, platform, cdi };
}

function changes(engine: Engine, serial: Serial): Pick<ContainerRuntime, 'update' | 'pause' | 'unpause'> {
  const changing = (id: string, call: Call, change: () => Promise<void>) =>
    guard({ id }, async () => {
      await serial.run(id, call.signal, change);
      return {};
    });
  return {
    update: ({ id, resources }, call) =>
      changing(id, call, () => updateResources(engine, id, resources, call)),
    pause: ({ id }, call) => changing(id, call, () => pauseContainer(engine, id, call)),
    unpause: ({ id }, call) => changing(id, call, () => unpauseContainer(engine, id, call)),
  };
}

/** As the container sees them, volumes included: its first process shows its root. */
function files(engine: Engine): Pick<ContainerRuntime, 'readFiles' | 'writeFiles'> {
  const rootOf = async (id: string, call: Call) =>
    `/proc/${(await mustLive(engine, id, call)).task.pid}/root`;
  return {
    readFiles: ({ id, path }, call) =>
      guard({ id, path }, async () => readFiles(await rootOf(id, call), path)),
    writeFiles: ({ id, path, archive }, call) =>
      guard({ id, path }, async () => writeFiles(await rootOf(id, call), path, archive)),
  };
}

/** What runs is started; what has ended is HM-CONTAINER-STOPPED. */
async function start(engine: Engine, id: string, call: Call): Promise<Record<string, never>> {
  try {
    await engine.connection.unary(Tasks.method.start, { containerId: id }, engine.callLimits(call));
  } catch (error) {
    if (!failedWith(error, status.NOT_FOUND, status.FAILED_PRECONDITION, status.UNKNOWN)) throw error;
    const { task } = await mustFind(engine, id, call);
    if (phaseOf(task) === 'running') return {};
    // A command that the kernel refuses leaves an ended task too, but then runc says why.
    if (!/cannot start a stopped/.test(failureText(error))) throw error;
    throw coded('HM-CONTAINER-STOPPED', `The container ${id} has ended and cannot be started again.`, { id });
  }
  return {};
}

async function sendSignal(
  engine: Engine,
  id: string,
  signal: string | undefined,
  call: Call,
): Promise<Record<string, never>> {
  const { record, task } = await mustFind(engine, id, call);
  const name = signal ?? stopSignalOfRecord(record);
  const wish = { containerId: id, signal: signalNumber(name) };
  try {
    await engine.connection.unary(Tasks.method.kill, wish, engine.callLimits(call));
  } catch (error) {
    if (!isGone(error)) throw error;
  }
  // It could not take the signal where it stands.
  if (phaseOf(task) === 'paused') await unpauseContainer(engine, id, call);
  return {};
}

async function remove(
  engine: Engine,
  serial: Serial,
  id: string,
  call: Call,
): Promise<Record<string, never>> {
  await serial.run(id, call.signal, () => removeContainer(engine, id, call));
  // Only while nothing is being made below it: runc makes the parent first and the container's own then.
  if (serial.busy === 0) await removeIdleCgroup(engine.cgroups, engine.cgroupParent);
  return {};
}
