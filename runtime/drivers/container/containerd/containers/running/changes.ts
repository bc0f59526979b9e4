/** What changes about a container while it runs: what it may use, and whether its processes stand still. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import type { ResourceSettings } from '../../../../../../protocols/apps/service-model.ts';
import { limitsUpdate, resourcesMark } from '../../../../../../protocols/containers/oci/resources.ts';
import { coded } from '../../../../../../protocols/errors.ts';
import type { Call } from '../../../../../../protocols/ports.ts';
import type { Engine } from '../../engine.ts';
import { failedWith, failureText } from '../../failure.ts';
import { Containers } from '../../gen/services/containers_pb.ts';
import { Tasks } from '../../gen/services/tasks_pb.ts';
import { mustLive } from '../lookup.ts';
import { blockDevicesOf, swapIsCounted } from '../machine/facts.ts';
import { phaseOf, resourceLabels } from '../record.ts';

const typeUrl = 'types.containerd.io/opencontainers/runtime-spec/1/LinuxResources';

/** The record says so last: an update that was cut off is seen as not done. HM-CONTAINER-UPDATE when the kernel refuses. */
export async function updateResources(
  engine: Engine,
  id: string,
  settings: ResourceSettings,
  call: Call,
): Promise<void> {
  const { record } = await mustLive(engine, id, call);
  const resources = limitsUpdate(settings, {
    cgroups: engine.cgroups,
    blockDevices: await blockDevicesOf(settings.blkio),
    swapCounted: swapIsCounted(engine.cgroups),
    cpuset: await allProcessors(engine),
    weighsDisks: weighsDisks(engine, id),
  });
  const wish = {
    containerId: id,
    resources: { typeUrl, value: Buffer.from(JSON.stringify(resources)) },
  };
  try {
    await engine.connection.unary(Tasks.method.update, wish, engine.callLimits(call));
  } catch (error) {
    if (!failedWith(error, status.UNKNOWN, status.INTERNAL)) throw error;
    throw coded('HM-CONTAINER-UPDATE', `The kernel refuses the new limits: ${failureText(error)}`, { id });
  }
  const labels = { ...record.labels, ...resourceLabels(resourcesMark(settings)) };
  const change = { container: { id, labels }, updateMask: { paths: ['labels'] } };
  await engine.connection.unary(Containers.method.update, change, engine.callLimits(call));
}

export async function pauseContainer(engine: Engine, id: string, call: Call): Promise<void> {
  if (phaseOf((await mustLive(engine, id, call)).task) === 'paused') return;
  await engine.connection.unary(Tasks.method.pause, { containerId: id }, engine.callLimits(call));
}

export async function unpauseContainer(engine: Engine, id: string, call: Call): Promise<void> {
  if (phaseOf((await mustLive(engine, id, call)).task) === 'running') return;
  await engine.connection.unary(Tasks.method.resume, { containerId: id }, engine.callLimits(call));
}

/** What "no longer pinned" is written as. */
async function allProcessors({ cgroups }: Engine): Promise<string> {
  const file =
    cgroups === 2 ? '/sys/fs/cgroup/cpuset.cpus.effective' : '/sys/fs/cgroup/cpuset/cpuset.effective_cpus';
  return (await readFile(file, 'utf8').catch(() => '')).trim();
}

/** Only some of the kernel's disk schedulers do. */
function weighsDisks({ cgroups, cgroupOf }: Engine, id: string): boolean {
  const folder = join('/sys/fs/cgroup', cgroups === 2 ? '' : 'blkio', cgroupOf(id));
  const names = cgroups === 2 ? ['io.weight', 'io.bfq.weight'] : ['blkio.weight', 'blkio.bfq.weight'];
  return names.some((name) => existsSync(join(folder, name)));
}
