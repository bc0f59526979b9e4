/**
 * The real world of one node: containerd, lmdb, Linux networking, files. Opens in the order in which a refusal
 * costs least: the data folder and its lock first, containerd last. Nothing here decides anything.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { coded, reasonOf } from '../../protocols/errors.ts';
import type { Registries } from '../../protocols/containers/registry/endpoints.ts';
import { limits } from '../../protocols/limits.ts';
import type {
  Call,
  Clock,
  ContainerRuntime,
  ImageSource,
  Ports,
  VolumeDriver,
} from '../../protocols/ports.ts';
import {
  ensureContainerd,
  ownWatch,
  type ContainerdPlace,
} from '../drivers/container/containerd/bootstrap.ts';
import { createContainerdRuntime } from '../drivers/container/containerd/driver.ts';
import { openEngine, type ContainerdRuntimeOptions } from '../drivers/container/containerd/engine.ts';
import { withoutProcesses } from '../drivers/container/process/images.ts';
import { createContainerdImages } from '../drivers/container/containerd/images/image-source.ts';
import { createCredentials } from '../drivers/container/registry/credentials.ts';
import { createRegistryClient } from '../drivers/container/registry/registry.ts';
import { createNameServer } from '../drivers/dns/server.ts';
import { createFileDisk } from '../drivers/journal/disk.ts';
import { openJournal } from '../drivers/journal/journal.ts';
import { createTmpfsGrants, grantsFolder } from '../drivers/grants/tmpfs-grants.ts';
import { unsealFrom, withGrants } from '../drivers/grants/unseal.ts';
import { createHostNetwork } from '../drivers/network/host/host-network.ts';
import { bootId } from '../drivers/container/process-files.ts';
import { createLinuxNetwork } from '../drivers/network/linux/driver.ts';
import { networkProbe } from '../drivers/probe/network-probe.ts';
import { createDirectoryVolumes, runFolders } from '../drivers/volume/directory.ts';
import { secretText } from '../secrets/secret-text.ts';
import { createLogStore, type ManagedLogs } from '../logs/log-store.ts';
import { openRetention, type Retention } from '../logs/retention.ts';
import { openEventFiles } from '../telemetry/events/event-files.ts';
import { examine, mendAndExamine } from './doctor.ts';
import { countBoot } from '../boots.ts';
import type { ClusterSettings } from '../cluster/opening/parts.ts';
import { measureMachine } from './machine.ts';
import { assertRuntimeOf, openProcesses, quietNames } from './process-world.ts';
import { realClock } from './real-clock.ts';
import { realRandom } from './real-random.ts';
import { takeDataFolder, type OpenedState } from './real-state.ts';
import type { NodeSettings, OpenedWorld, World } from './world.ts';

export interface RealWorldOptions {
  readonly labels?: Readonly<Record<string, string>>;
  /** What is normal, and yet worth a line to who looks closely. */
  readonly debug: (text: string) => void;
  /** What keeps the node waiting while it opens. */
  readonly waiting: (text: string) => void;
  /** Absolute. */
  readonly dataDir: string;
  /** The operator confirms the store as it is. */
  readonly acceptStore?: boolean;
  readonly runtime: 'containerd' | 'process';
  readonly containerdAddress: string;
  readonly containerdNamespace: string;
  /** Absolute. */
  readonly secretKeyFile: string;
  readonly passphrases: readonly string[];
  readonly registries: Registries;
  /** Docker's `config.json`; it need not exist. */
  readonly dockerConfig: string;
  /** Absent: the node is alone. */
  readonly cluster?: ClusterSettings;
}

export function createRealWorld(options: RealWorldOptions): World {
  return { clock: realClock, random: realRandom, open: (settings) => open(options, settings) };
}

async function open(options: RealWorldOptions, settings: NodeSettings): Promise<OpenedWorld> {
  const { dataDir } = options;
  await makeDataDir(dataDir);
  assertRuntimeOf(dataDir, options.runtime);
  const closers: Closers = [];
  const close = async () => {
    for (const closer of closers.reverse()) await closer();
  };
  try {
    const { opened, state, boot } = await openState(options, settings, closers);
    const { store, secrets } = state;
    const events = await openEvents(options);
    closers.push(() => events.close());
    const grants = createTmpfsGrants({
      folder: grantsFolder(settings.networkTag),
      clock: realClock,
      unseal: unsealFrom(state),
    });
    const secret = loginSecrets(state);
    const engine = await openContainers(options, settings, secret);
    closers.push(engine.close);
    const logs = createLogStore(realClock);
    closers.push(() => logs.close());
    const volumes = createDirectoryVolumes({ dataDir, clock: realClock });
    const retention = await openLogs(dataDir, logs, volumes);
    closers.push(retention.close);
    const { bridged, names } = openNetwork(options, settings);
    closers.push(() => void names.close({}, { key: 'close', signal: new AbortController().signal }));
    const ports: Ports = {
      store,
      journal: opened.journal,
      containers: withGrants(engine.runtime, grants),
      images: engine.images,
      network: bridged ?? createHostNetwork(),
      volumes: withLogs(volumes, logs, retention),
      names,
      probes: networkProbe,
      secrets,
      grants,
    };
    return {
      ports,
      logs,
      events: events.store,
      recovered: [...opened.recovered, ...events.recovered, ...(state.locked ? [state.locked] : [])],
      ...(boot === undefined ? {} : { boot }),
      ...(state.cluster ? { cluster: state.cluster } : {}),
      close,
      doctor: ({ mend }) => {
        const engineRoom = bridged && engine.place ? { network: bridged, place: engine.place } : undefined;
        const subject = {
          ...{ clock: realClock, ports, settings, dataDir },
          ...(state.cluster ? { cluster: state.cluster } : {}),
          ...(engineRoom ? { engineRoom } : {}),
        };
        return mend ? mendAndExamine(subject) : examine(subject);
      },
      machine: () => measureMachine(dataDir, options.labels ?? {}),
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

type Closers = (() => Promise<void> | void)[];

/** The data folder with its store or lock, the journal, and what both make of a cluster. */
async function openState(options: RealWorldOptions, settings: NodeSettings, closers: Closers) {
  const { dataDir, cluster } = options;
  const folder = await takeDataFolder(dataDir, cluster);
  closers.push(() => folder.close());
  const journalDir = join(dataDir, 'journal');
  await mkdir(journalDir, { recursive: true, mode: 0o700 });
  const path = join(journalDir, 'node.journal');
  const opened = await openJournal({ disk: createFileDisk(), clock: realClock, path });
  closers.push(() => opened.close());
  const { journal } = opened;
  // Others are told of each life of this node: it is counted before anything is said.
  const boot = cluster && (await countBoot(journal));
  const several = cluster && boot !== undefined ? { several: { settings: cluster, boot } } : {};
  const state = await folder
    .open({ ...options, name: settings.name, journal, ...several })
    .catch(async (thrown: unknown) => {
      if (boot !== undefined) await tellRefused(options, settings.name, { boot, thrown });
      throw thrown;
    });
  closers.push(() => state.close());
  return { opened, state, boot };
}

/** A boot that was counted and came to nothing: the next one's events say so, and why. */
async function tellRefused(
  options: RealWorldOptions,
  subject: string,
  { boot, thrown }: { readonly boot: number; readonly thrown: unknown },
): Promise<void> {
  const because = reasonOf(thrown);
  const { message } = because;
  const events = await openEvents(options);
  const event = { type: 'node.refused', subject, level: 'error', message, reason: because } as const;
  events.store.append({ ...event, boot, seq: 1, at: realClock.now() });
  await events.close();
}

async function openEvents({ dataDir, debug }: RealWorldOptions) {
  const folder = join(dataDir, 'events');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const machineBoot = await bootId();
  const events = await openEventFiles({ disk: createFileDisk(), folder, machineBoot });
  if (events.unfinished > 0) debug(`${events.unfinished} bytes of an unfinished event are cut off`);
  return events;
}

/** `bridged`: that of containers; processes have the machine's own. */
function openNetwork({ runtime }: RealWorldOptions, settings: NodeSettings) {
  const server = createNameServer({ clock: realClock, random: realRandom });
  if (runtime === 'process') return { bridged: undefined, names: quietNames(server, settings.dnsAddress) };
  return {
    bridged: createLinuxNetwork({ clock: realClock, tag: settings.networkTag }),
    names: server,
  };
}

async function makeDataDir(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
  } catch (thrown) {
    throw coded('HM-DATA-DIR', `${dataDir} cannot be made: ${(thrown as Error).message}`, { path: dataDir });
  }
}

interface OpenedContainers {
  readonly runtime: ContainerRuntime;
  readonly images: ImageSource;
  /** Of containerd. */
  readonly place?: ContainerdPlace;
  close(): void;
}

/** A secret of the node by its name. */
type Secret = (name: string) => Promise<string | undefined>;

/** Logins of registries. An agent has none of the cluster's: no pull of a cluster needs one before apps are placed there. */
function loginSecrets({ store, secrets, cluster }: OpenedState): Secret {
  const call = (): Call => ({ key: 'login', signal: new AbortController().signal });
  if (cluster?.self.role === 'agent') return () => Promise.resolve(undefined);
  return (name) => secretText({ store, secrets }, name, call());
}

async function openContainers(
  options: RealWorldOptions,
  settings: NodeSettings,
  secret: Secret,
): Promise<OpenedContainers> {
  if (options.runtime === 'process') return openProcesses(options.dataDir);
  const bootstrap = { address: options.containerdAddress, dataDir: options.dataDir, clock: realClock };
  const place = await ensureContainerd(bootstrap);
  const engineOptions: ContainerdRuntimeOptions = {
    address: place.address,
    namespace: options.containerdNamespace,
    clock: realClock,
    ioDir: join(options.dataDir, 'io'),
    cgroupParent: `/hivemind-${settings.name}`,
    ...(place.stateDir === undefined ? {} : { stateDir: place.stateDir }),
  };
  const runtime = createContainerdRuntime(engineOptions);
  const engine = openEngine(engineOptions);
  const registry = createRegistryClient({
    clock: realClock,
    random: realRandom,
    registries: options.registries,
    credentials: createCredentials({ dockerConfig: options.dockerConfig, secret }),
  });
  const keeper = place.own
    ? keepAlive(realClock, ownWatch(options.dataDir), () => ensureContainerd(bootstrap))
    : () => undefined;
  return {
    runtime,
    images: withoutProcesses(createContainerdImages(engine, { registry })),
    place,
    close: () => {
      keeper();
      registry.close();
      runtime.close();
      engine.connection.close();
    },
  };
}

/** A containerd of our own that died is started again; the machine's own is its service's business. */
function keepAlive(
  clock: Clock,
  isThere: () => Promise<boolean>,
  ensure: () => Promise<unknown>,
): () => void {
  let stopped = false;
  let timer: unknown;
  const look = async (): Promise<void> => {
    try {
      if (!(await isThere())) await ensure();
    } catch {
      // The runtime port says it: HM-RUNTIME-DOWN.
    }
    if (!stopped) timer = clock.setTimer(5 * limits.retryMs, () => void look());
  };
  timer = clock.setTimer(5 * limits.retryMs, () => void look());
  return () => {
    stopped = true;
    clock.clearTimer(timer);
  };
}

async function openLogs(dataDir: string, logs: ManagedLogs, volumes: VolumeDriver): Promise<Retention> {
  for (const run of await runFolders(dataDir)) await logs.track(run);
  return openRetention({
    clock: realClock,
    runsDir: join(dataDir, 'runs'),
    rest: logs.rest,
    remove: async (slot) => {
      logs.forget(slot, []);
      await volumes.pruneRuns({ slot, keep: [] }, { key: 'retired', signal: new AbortController().signal });
    },
  });
}

/** The log store learns of each run when its files are made; those of a slot that is gone stay for a while. */
function withLogs(volumes: VolumeDriver, logs: ManagedLogs, retention: Retention): VolumeDriver {
  return {
    ...volumes,
    prepareRun: async (args, call) => {
      await retention.revive(args.slot);
      const files = await volumes.prepareRun(args, call);
      const { slot, run, logging = {} } = args;
      await logs.track({ slot, run, folder: join(files.stdoutPath, '..'), logging });
      return files;
    },
    pruneRuns: async (args, call) => {
      if (args.keep.length === 0) {
        logs.rest(args.slot);
        await retention.retire(args.slot);
        return {};
      }
      logs.forget(args.slot, args.keep);
      return volumes.pruneRuns(args, call);
    },
  };
}
