/**
 * Removes everything that Hivemind made on this machine: containers, images, network, data folder, a containerd of
 * its own. Works on a machine whose daemon does not run; a running one keeps its data folder locked.
 */
import { existsSync } from 'node:fs';
import { readdir, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { hashText } from '../protocols/hash.ts';
import { reasonOf } from '../protocols/errors.ts';
import type { Call } from '../protocols/ports.ts';
import type { NodeConfig } from './config/node-config.ts';
import { stopOwnContainerd } from './drivers/container/containerd/bootstrap.ts';
import { createContainerdRuntime } from './drivers/container/containerd/driver.ts';
import { runcRoot } from './drivers/container/containerd/containers/leftovers.ts';
import { openEngine } from './drivers/container/containerd/engine.ts';
import { Namespaces } from './drivers/container/containerd/gen/services/namespaces_pb.ts';
import { createContainerdImages } from './drivers/container/containerd/images/image-source.ts';
import { grantsFolder, removeAllGrants } from './drivers/grants/tmpfs-grants.ts';
import { createLinuxNetwork } from './drivers/network/linux/driver.ts';
import { lockDataFolder } from './drivers/store/embedded/data-lock.ts';
import { ensureContainerd, type ContainerdPlace } from './drivers/container/containerd/bootstrap.ts';
import { openProcesses, processFolder } from './world/process-world.ts';
import { realClock } from './world/real-clock.ts';

export type PurgeConfig = Pick<
  NodeConfig,
  | 'name'
  | 'dataDir'
  | 'runtime'
  | 'containerdAddress'
  | 'containerdNamespace'
  | 'bridge'
  | 'containerPool'
  | 'mtu'
  | 'socketPath'
>;

const call = (): Call => ({ key: 'purge', signal: AbortSignal.timeout(60_000) });

/** `progress` hears a line a step. HM-DATA-LOCKED while the node runs; other troubles are told and the rest goes on. */
export async function purge(config: PurgeConfig, progress: (line: string) => void): Promise<void> {
  const lock = await lockDataFolder(join(config.dataDir, 'store'));
  try {
    // Also where the settings name another runtime than the one that was here.
    if (existsSync(processFolder(config.dataDir)))
      await attempt(progress, 'processes', () => removeProcesses(config.dataDir));
    if (config.runtime !== 'process') await removeContainers(config, progress);
    await attempt(progress, 'files in memory', () =>
      removeAllGrants(grantsFolder(networkTag(config.name)), call()),
    );
  } finally {
    await lock.release();
  }
  await attempt(progress, `data folder ${config.dataDir}`, async () => {
    for (const entry of await readdir(config.dataDir))
      await rm(join(config.dataDir, entry), { recursive: true, force: true });
    await rm(config.dataDir, { recursive: true, force: true });
    await rm(config.socketPath, { force: true });
    // Its folder stays when another node's socket is in it, or somebody else named it.
    const folder = dirname(config.socketPath);
    if (basename(folder) === 'hivemind') await rmdir(folder).catch(() => undefined);
  });
}

async function removeContainers(config: PurgeConfig, progress: (line: string) => void): Promise<void> {
  const place = await attempt(progress, 'containerd', () =>
    ensureContainerd({ address: config.containerdAddress, dataDir: config.dataDir, clock: realClock }),
  );
  if (place) await attempt(progress, 'containers and images', () => emptyContainerd(config, place));
  await attempt(progress, 'network', () => removeNetwork(config));
  await attempt(progress, 'own containerd', () =>
    stopOwnContainerd({ dataDir: config.dataDir, clock: realClock }),
  );
}

/** Of a node that runs processes instead of containers. */
export async function removeProcesses(dataDir: string): Promise<void> {
  const { runtime, close } = await openProcesses(dataDir);
  for (const { id } of (await runtime.list({}, call())).containers) await runtime.remove({ id }, call());
  close();
}

async function attempt<Result>(
  progress: (line: string) => void,
  what: string,
  step: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    const result = await step();
    progress(`✓ ${what}`);
    return result;
  } catch (thrown) {
    const because = reasonOf(thrown);
    progress(`! ${what}: ${because.message} (${because.code})`);
    return undefined;
  }
}

/** Containers, images and the node's namespace itself; the daemon must not run. */
export async function emptyContainerd(
  config: Pick<PurgeConfig, 'name' | 'dataDir' | 'containerdNamespace'>,
  place: ContainerdPlace,
): Promise<void> {
  const options = {
    address: place.address,
    namespace: config.containerdNamespace,
    clock: realClock,
    ioDir: join(config.dataDir, 'io'),
    cgroupParent: `/hivemind-${config.name}`,
    ...(place.stateDir === undefined ? {} : { stateDir: place.stateDir }),
  };
  const runtime = createContainerdRuntime(options);
  const engine = openEngine(options);
  try {
    for (const { id } of (await runtime.list({}, call())).containers) await runtime.remove({ id }, call());
    const images = createContainerdImages(engine);
    for (const { name } of (await images.list({}, call())).images)
      await images.remove({ image: name }, call());
    // Fails while something of somebody else is in it: then it is not ours to remove.
    await engine.connection
      .unary(Namespaces.method.delete, { name: config.containerdNamespace }, engine.callLimits(call()))
      .catch(() => undefined);
    // runc leaves its own behind; one with records in it is somebody's.
    await rmdir(join(runcRoot, config.containerdNamespace)).catch(() => undefined);
  } finally {
    runtime.close();
    engine.connection.close();
  }
}

async function removeNetwork(config: PurgeConfig): Promise<void> {
  const tag = networkTag(config.name);
  await createLinuxNetwork({ clock: realClock, tag }).purge({}, call());
}

/** Six characters, the same for the same node: several nodes can share a machine. */
export function networkTag(node: string): string {
  return `hm${hashText(node).slice(0, 4)}`;
}
