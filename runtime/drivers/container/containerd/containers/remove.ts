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

const sigkill = 9;

/** SIGKILL to all processes; ended ones are done already. */
export async function killAll(engine: Engine, id: string, call: Call): Promise<void> {
  const wish = { containerId: id, signal: sigkill, all: true };
  await ignoreGone(engine.connection.unary(Tasks.method.kill, wish, engine.callLimits(call)));
}

/** HM-CONTAINER-STUCK when SIGKILL does not end it. Removing what is gone does nothing. */
export async function removeContainer(engine: Engine, id: string, call: Call): Promise<void> {
  const found = await find(engine, id, call);
  const callLimits = engine.callLimits(call);
  await endTask(engine, id, call);
  const snapshotter = found?.record.snapshotter || (await engine.facts(call)).snapshotter;
  const key = found?.record.snapshotKey || id;
  await sweepLeftovers(engine, id, call);
  await ignoreGone(engine.connection.unary(Snapshots.method.remove, { snapshotter, key }, callLimits));
  await removeIdleCgroup(engine.cgroups, engine.cgroupOf(id));
  await ignoreGone(engine.connection.unary(Containers.method.delete, { id }, callLimits));
}

async function endTask(engine: Engine, id: string, call: Call): Promise<void> {
  if (await deleteTask(engine, id, call)) return;
  await killAll(engine, id, call);
  try {
    await ignoreGone(
      engine.connection.unary(
        Tasks.method.wait,
        { containerId: id },
        { timeoutMs: limits.killMs, signal: call.signal },
      ),
    );
  } catch (error) {
    if (!failedWith(error, status.DEADLINE_EXCEEDED)) throw error;
    throw coded('HM-CONTAINER-STUCK', `The container ${id} does not end after SIGKILL.`, { id });
  }
  const wish = { containerId: id };
  await ignoreGone(engine.connection.unary(Tasks.method.delete, wish, engine.callLimits(call)));
}

/** False when it still runs. */
async function deleteTask(engine: Engine, id: string, call: Call): Promise<boolean> {
  try {
    await ignoreGone(
      engine.connection.unary(Tasks.method.delete, { containerId: id }, engine.callLimits(call)),
    );
    return true;
  } catch (error) {
    if (failedWith(error, status.FAILED_PRECONDITION, status.UNKNOWN)) return false;
    throw error;
  }
}

async function ignoreGone(asked: Promise<unknown>): Promise<void> {
  try {
    await asked;
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}
