/** All that the machine brings to one container's specification: its kernel, the devices that are asked for, and whom it shares with. */
import type { ContainerCreate } from '../../../../../../protocols/containers/model.ts';
import { lendingSlot, parseSlotName } from '../../../../../../protocols/apps/model.ts';
import { gpuEdits } from '../../../../../../protocols/containers/cdi/choose.ts';
import { peerOf } from '../../../../../../protocols/containers/oci/isolation.ts';
import type { Surroundings } from '../../../../../../protocols/containers/oci/types.ts';
import { coded } from '../../../../../../protocols/errors.ts';
import type { Call } from '../../../../../../protocols/ports.ts';
import type { Engine } from '../../engine.ts';
import { list } from '../lookup.ts';
import { cdiDevicesOf, readCdiStock } from './cdi.ts';
import { blockDevicesOf, devicesOf, kernelFacts, swapIsCounted } from './facts.ts';
import { mountSharedMemory, sharedMemoryOf } from './held-mounts.ts';

/** HM-CONTAINER-PEER when the service to share with has no running container, HM-CONTAINER-SETTING for devices. */
export async function surroundingsOf(
  engine: Engine,
  create: ContainerCreate,
  call: Call,
): Promise<Surroundings> {
  const { isolation, resources } = create.spec;
  const peers: Record<string, number> = {};
  let sharedMemory: string | undefined;
  if (isolation?.ipc === 'shareable') sharedMemory = await mountSharedMemory(engine.mountsDir, create);
  for (const mode of ['pid', 'ipc'] as const) {
    const service = peerOf(isolation?.[mode]);
    if (service === undefined) continue;
    const peer = await runningPeer(engine, create, service, call);
    peers[service] = peer.pid;
    if (mode === 'ipc') sharedMemory = sharedMemoryOf(engine.mountsDir, peer.id);
  }
  const lender = lendingSlot(create.key.slot, create.spec);
  if (lender !== undefined) {
    const { service } = parseSlotName(lender)!;
    // Its very own number: the address is that one's.
    const peer = await runningPeer(engine, create, service, call, true);
    peers[service] = peer.pid;
  }
  return {
    cgroups: engine.cgroups,
    ...kernelFacts(),
    swapCounted: swapIsCounted(engine.cgroups),
    ...(await givenDevices(engine, create)),
    blockDevices: await blockDevicesOf(resources?.blkio),
    peers,
    ...(sharedMemory === undefined ? {} : { sharedMemory }),
  };
}

/** A node that a CDI file gives goes before the machine's own of the same path. */
async function givenDevices(
  engine: Engine,
  { spec }: ContainerCreate,
): Promise<Pick<Surroundings, 'devices' | 'edits'>> {
  const devices = await devicesOf(spec);
  const gpus = spec.isolation?.gpus;
  if (!gpus) return { devices };
  const edits = gpuEdits(gpus, await readCdiStock(engine.cdiFolders));
  const all = [...devices, ...(await cdiDevicesOf(edits.deviceNodes))];
  return { devices: [...new Map(all.map((device) => [device.path, device])).values()], edits };
}

/** The replica of the same number, else the first. */
async function runningPeer(
  engine: Engine,
  { key }: ContainerCreate,
  service: string,
  call: Call,
  exact = false,
): Promise<{ readonly id: string; readonly pid: number }> {
  const own = parseSlotName(key.slot);
  const running = (await list(engine, call)).filter((status) => {
    const slot = parseSlotName(status.key.slot);
    return status.phase === 'running' && slot?.app === own?.app && slot?.service === service;
  });
  const alike = running.find((status) => parseSlotName(status.key.slot)?.index === own?.index);
  const fit = alike ?? (exact ? undefined : running[0]);
  if (fit?.pid !== undefined) return { id: fit.id, pid: fit.pid };
  throw coded('HM-CONTAINER-PEER', `${key.slot} shares with ${own?.app}/${service}, which does not run`, {
    slot: key.slot,
    service,
  });
}
