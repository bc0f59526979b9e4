/**
 * Ending and removing containers. Removal works on whatever is left of one: task, snapshot, bundle, cgroup; the
 * record goes last, so that an interrupted removal is still listed and is done again.
 */
import { status } from '@grpc/grpc-js';
import { coded } from '../../../../../protocols/errors.ts';
import { limits } from '../../../../../protocols/limits.ts';
import type { Call } from '../../../../../protocols/ports.ts';
import type { Engine } from '../engine.ts';
import { failedWith, isGone } from '../failure.ts';
import { Containers } from '../gen/services/containers_pb.ts';
import { Snapshots } from '../gen/services/snapshots_pb.ts';
import { Tasks } from '../gen/services/tasks_pb.ts';
import { removeIdleCgroup } from './cgroup.ts';
import { sweepLeftovers } from './leftovers.ts';
import { find } from './lookup.ts';
import { releaseMounts } from './machine/held-mounts.ts';
import { isContainerId, phaseOf } from './record.ts';

const sigkill = 9;

/** SIGKILL to all processes; ended ones are done already. */
export async function killAll(engine: Engine, id: string, call: Call): Promise<void> {
  const wish = { containerId: id, signal: sigkill, all: true };
  await ignoreGone(engine.connection.unary(Tasks.method.kill, wish, engine.callLimits(call)));
}

/** HM-CONTAINER-STUCK when SIGKILL does not end it. Removing what is gone does nothing. */
export async function removeContainer(engine: Engine, id: string, call: Call): Promise<void> {
  // The sweep removes folders of this name: nothing else than an id may get there.
  if (!isContainerId(id)) return;
  const found = await find(engine, id, call);
  const callLimits = engine.callLimits(call);
  await endTask(engine, id, phaseOf(found?.task) === 'stopped', call);
  const snapshotter = found?.record.snapshotter || (await engine.facts(call)).snapshotter;
  const key = found?.record.snapshotKey || id;
  await sweepLeftovers(engine, id, !found?.task, call);
  await ignoreGone(engine.connection.unary(Snapshots.method.remove, { snapshotter, key }, callLimits));
  await removeIdleCgroup(engine.cgroups, engine.cgroupOf(id));
  await releaseMounts(engine.mountsDir, id);
  await ignoreGone(engine.connection.unary(Containers.method.delete, { id }, callLimits));
}

/**
 * Killed before it is deleted even if it never started: the shim would wait two seconds for the output of a
 * process that still holds its pipes.
 */
async function endTask(engine: Engine, id: string, ended: boolean, call: Call): Promise<void> {
  const task = { containerId: id };
  if (!ended) {
    await killAll(engine, id, call);
    const patience = { timeoutMs: limits.killMs, signal: call.signal };
    try {
      await ignoreGone(engine.connection.unary(Tasks.method.wait, task, patience));
    } catch (error) {
      if (!failedWith(error, status.DEADLINE_EXCEEDED)) throw error;
      throw coded('HM-CONTAINER-STUCK', `The container ${id} does not end after SIGKILL.`, { id });
    }
  }
  await ignoreGone(engine.connection.unary(Tasks.method.delete, task, engine.callLimits(call)));
}

async function ignoreGone(asked: Promise<unknown>): Promise<void> {
  try {
    await asked;
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}
