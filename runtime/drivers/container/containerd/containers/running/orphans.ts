/**
 * Commands that a daemon of an earlier life started beside a container's own program. Whoever asked for them has gone
 * with that daemon, and they belong to their shim, so they would run on. They end when the containers are
 * first listed.
 */
import { readlink } from 'node:fs/promises';
import { fromBinary } from '@bufbuild/protobuf';
import type { ContainerStatus } from '../../../../../../protocols/containers/model.ts';
import { look, send, type Seen } from '../../../process-files.ts';
import type { Engine } from '../../engine.ts';
import { isGone } from '../../failure.ts';
import { ProcessDetailsSchema } from '../../gen/payloads/runc_pb.ts';
import { Tasks } from '../../gen/services/tasks_pb.ts';

const sigkill = 9;
const detailsType = 'containerd.runc.v1.ProcessDetails';

export interface Orphans {
  /** Nobody waits for it; where it fails it is tried again at the next list. */
  end(containers: readonly ContainerStatus[]): void;
}

/** One that was being started when its daemon ended may only begin after the first look at its container. */
const looks = 2;

/** `isOwn`: whether the exec of this id was started in this life. */
export function createOrphans(engine: Engine, isOwn: (execId: string) => boolean): Orphans {
  /** Looks that are left at containers that an earlier life made: those of the first list. */
  let inherited: Map<string, number> | undefined;
  return {
    end: (containers) => {
      const live = containers.filter(({ phase }) => phase === 'running' || phase === 'paused');
      inherited ??= new Map(live.map(({ id }) => [id, looks]));
      const left = inherited;
      for (const container of live) {
        const { id, phase } = container;
        const more = left.get(id) ?? 0;
        // What is paused cannot end now.
        if (phase === 'paused' || more === 0) continue;
        left.set(id, more - 1);
        endOrphansOf(engine, container, isOwn).catch((error: unknown) => {
          if (!isGone(error)) left.set(id, more);
        });
      }
    },
  };
}

async function endOrphansOf(
  engine: Engine,
  { id: containerId, pid: listed }: ContainerStatus,
  isOwn: (execId: string) => boolean,
): Promise<void> {
  const { connection } = engine;
  let first = listed;
  const within = engine.callLimits(new AbortController());
  const { processes } = await connection.unary(Tasks.method.listPids, { containerId }, within);
  for (const { pid, info } of processes) {
    if (!info?.typeUrl.endsWith(detailsType)) {
      // It is not listed with a container whose shim did not answer then.
      first ??= (await connection.unary(Tasks.method.get, { containerId }, within)).process?.pid;
      const unknown = first === undefined ? undefined : await lookForUnknown(pid, first);
      if (unknown) await send(unknown, 'SIGKILL');
      continue;
    }
    const { execId } = fromBinary(ProcessDetailsSchema, info.value);
    if (execId === '' || isOwn(execId)) continue;
    const target = { containerId, execId };
    await connection.unary(Tasks.method.kill, { ...target, signal: sigkill }, within).catch(unlessGone);
    await connection.unary(Tasks.method.wait, target, within).catch(unlessGone);
    await connection.unary(Tasks.method.deleteProcess, target, within).catch(unlessGone);
  }
}

/**
 * An exec whose start was cut off with its daemon runs, and its shim does not know its number: older than this daemon,
 * and a child of the shim as only the container's first process is. A container without a process namespace
 * of its own leaves its orphans to the shim too, so there none is found.
 */
async function lookForUnknown(pid: number, first: number): Promise<Seen | undefined> {
  if (pid === first) return undefined;
  const [seen, begun, daemon] = await Promise.all([pid, first, process.pid].map(look));
  if (!seen || !begun || !daemon) return undefined;
  if (seen.parent !== begun.parent || seen.start >= daemon.start) return undefined;
  const [space, ours] = await Promise.all([first, process.pid].map((one) => readlink(`/proc/${one}/ns/pid`)));
  return space === ours ? undefined : seen;
}

function unlessGone(error: unknown): void {
  if (!isGone(error)) throw error;
}
