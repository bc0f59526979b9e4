/**
 * Commands that a daemon of an earlier life started beside a container's own program. Whoever asked for them has gone
 * with that daemon, and they belong to their shim, so they would run on. They end when the containers are
 * first listed.
 */
import { fromBinary } from '@bufbuild/protobuf';
import type { ContainerStatus } from '../../../../../../protocols/containers/model.ts';
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

/** `isOwn`: whether the exec of this id was started in this life. */
export function createOrphans(engine: Engine, isOwn: (execId: string) => boolean): Orphans {
  /** Containers that an earlier life made: those of the first list. */
  let inherited: Map<string, 'to-do' | 'done'> | undefined;
  return {
    end: (containers) => {
      const live = containers.filter(({ phase }) => phase === 'running' || phase === 'paused');
      inherited ??= new Map(live.map(({ id }) => [id, 'to-do']));
      const left = inherited;
      for (const { id, phase } of live) {
        // What is paused cannot end now.
        if (phase === 'paused' || left.get(id) !== 'to-do') continue;
        left.set(id, 'done');
        endOrphansOf(engine, id, isOwn).catch((error: unknown) => {
          if (!isGone(error)) left.set(id, 'to-do');
        });
      }
    },
  };
}

async function endOrphansOf(
  engine: Engine,
  containerId: string,
  isOwn: (execId: string) => boolean,
): Promise<void> {
  const { connection } = engine;
  const within = engine.callLimits(new AbortController());
  const { processes } = await connection.unary(Tasks.method.listPids, { containerId }, within);
  for (const { info } of processes) {
    if (!info?.typeUrl.endsWith(detailsType)) continue;
    const { execId } = fromBinary(ProcessDetailsSchema, info.value);
    if (execId === '' || isOwn(execId)) continue;
    const target = { containerId, execId };
    await connection.unary(Tasks.method.kill, { ...target, signal: sigkill }, within).catch(unlessGone);
    await connection.unary(Tasks.method.wait, target, within).catch(unlessGone);
    await connection.unary(Tasks.method.deleteProcess, target, within).catch(unlessGone);
  }
}

function unlessGone(error: unknown): void {
  if (!isGone(error)) throw error;
}
