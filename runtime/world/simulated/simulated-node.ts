/**
 * One simulated machine with what stands on it: containers, images, disk, network, volumes, names, files of runs. It
 * outlives every daemon that runs there; `boot` gives the world of one life, which ends when it is told to.
 */
import type { NodeRole } from '../../../protocols/wire/catalogue.ts';
import { coded } from '../../../protocols/errors.ts';
import type { Frame } from '../../../protocols/inspection.ts';
import { compareIncarnations } from '../../../protocols/membership/claims/precedence.ts';
import type { Incarnation, MemberAddress } from '../../../protocols/membership/model.ts';
import type { MembershipTimes } from '../../../protocols/membership/profile.ts';
import type { Membership } from '../../../protocols/membership/views/port.ts';
import type { GossipKeys, MemberChange, MemberView } from '../../../protocols/membership/views/view.ts';
import type { Clock, Journal, Ports, Random, SecretBox, StateStore } from '../../../protocols/ports.ts';
import type { DatagramCipher } from '../../../transport/secure/datagram-cipher.ts';
import { ScriptedImages, scriptedImageSource } from '../../drivers/container/scripted/images.ts';
import { ScriptedMachine } from '../../drivers/container/scripted/machine.ts';
import { scriptedRuntime } from '../../drivers/container/scripted/runtime.ts';
import type { ScriptOf } from '../../drivers/container/scripted/script.ts';
import { MemoryNames } from '../../drivers/dns/memory-names.ts';
import { MemoryGrants } from '../../drivers/grants/memory-grants.ts';
import { unsealFrom, withGrants } from '../../drivers/grants/unseal.ts';
import type { Disk } from '../../drivers/journal/disk.ts';
import { openJournal } from '../../drivers/journal/journal.ts';
import { MemoryNetwork } from '../../drivers/network/memory/memory-network.ts';
import { followedStore } from '../../drivers/store/followed-store.ts';
import type { MemoryStore } from '../../drivers/store/memory/memory-store.ts';
import { scriptedProbe } from '../../drivers/probe/scripted-probe.ts';
import { MemoryVolumes } from '../../drivers/volume/memory.ts';
import { countBoot, raiseBoot } from '../../boots.ts';
import type { MachineFacts } from '../../../protocols/observed/model.ts';
import type { ClusterHandle } from '../../cluster/handle.ts';
import type { LogStore } from '../../node-handle.ts';
import type { OpenedWorld, World } from '../world.ts';
import type { BootClock } from './boot-clock.ts';
import type { DatagramCounts } from '../../../transport/datagram-link.ts';
import { FaultyStore } from './faulty-store.ts';
import { Gate } from './gate.ts';
import type { Hub } from './hub.ts';
import { openJoinedCluster, type DoorStage, type JoinedOptions } from './joined-cluster.ts';
import { MachineTime } from './node-clock.ts';
import {
  LifeThread,
  openSimulatedCluster,
  vanish,
  type ClusterOptions,
  type SimulatedCluster,
} from './simulated-cluster.ts';
import { VirtualDisk } from './virtual-disk.ts';

/** Nothing in the simulation measures: it is always the same. */
const simulatedMachine: MachineFacts = {
  hostname: 'simulated',
  os: 'none',
  kernel: '0',
  architecture: 'none',
  cpus: 4,
  load: 0,
  memoryBytes: 2 ** 33,
  memoryFreeBytes: 2 ** 32,
  diskBytes: 2 ** 40,
  diskFreeBytes: 2 ** 39,
  labels: {},
};

export const journalPath = '/data/journal';

export type ThreadName = 'main' | 'membership';

/** One life's world, and the means to end it. */
export interface Boot {
  readonly world: World;
  readonly clock: BootClock;
  /** That of its actors, and that of its membership. */
  readonly threads: Readonly<Record<ThreadName, LifeThread>>;
  readonly gate: Gate;
  /** As if the process were gone: nothing that belongs to this life runs again. */
  end(): void;
}

/** Output is not simulated. */
const noLogs: LogStore = {
  read: () => Promise.resolve([]),
  follow: () => () => {},
  isMute: () => false,
};

/** What all nodes of one world share. */
export interface Surroundings {
  readonly clock: Clock;
  /** Equal purpose, equal draws: of this node alone. */
  readonly chance: (purpose: string) => Random;
  readonly memory: MemoryStore;
  readonly secrets: SecretBox;
  readonly images: readonly string[];
  readonly scriptOf: ScriptOf;
  /** Where there is more than one node. */
  readonly cluster?: ClusterSurroundings;
}

export interface ClusterSurroundings {
  readonly hub: Hub;
  readonly times: MembershipTimes;
  readonly cipher: DatagramCipher;
  readonly keys: () => GossipKeys;
  readonly server: () => SimulatedNode;
  /** Nodes come by their place in the cluster as real ones do; without it they have had it from the beginning. */
  readonly joining?: Joining;
}

export interface Joining {
  readonly certificateMs: number;
  /** Where the node of this name asks to be let in. */
  readonly seeds: (name: string) => readonly MemberAddress[];
}

export class SimulatedNode {
  readonly name: string;
  readonly role: NodeRole;
  readonly machine: ScriptedMachine;
  readonly images: ScriptedImages;
  readonly disk: VirtualDisk;
  readonly network = new MemoryNetwork();
  readonly volumes = new MemoryVolumes();
  readonly names = new MemoryNames();
  /** The store as this node meets it. */
  readonly store: FaultyStore;
  readonly grants: MemoryGrants;
  readonly time: MachineTime;
  readonly #clock: Clock;
  readonly #chance: (purpose: string) => Random;
  readonly #secrets: SecretBox;
  readonly #cluster: ClusterSurroundings | undefined;
  #boots = 0;
  #identities = 0;
  #id: string;
  /** All that it ever had. */
  readonly ids = new Set<string>();
  /** By id: the greatest that it said of itself. */
  readonly said = new Map<string, Incarnation>();
  /** Of the newest life that opened it. */
  membership: Membership | undefined;
  datagrams: DatagramCounts | undefined;
  cluster: ClusterHandle | undefined;
  /** With what that life began to speak, where it joined. */
  gossip: { readonly label: string; readonly keys: GossipKeys } | undefined;
  /** Told what its membership finds, and each frame of its actors. */
  onMember: (change: MemberChange) => void = () => {};
  onMembershipFrame: (frame: Frame) => void = () => {};
  /** Asked when somebody without a certificate is at its door: whether the door goes on. */
  onDoor: (stage: DoorStage) => boolean = () => true;

  constructor(
    name: string,
    role: NodeRole,
    { clock, chance, memory, secrets, images, scriptOf, cluster }: Surroundings,
  ) {
    this.name = name;
    this.role = role;
    this.#clock = clock;
    this.time = new MachineTime(clock);
    this.#chance = chance;
    this.#secrets = secrets;
    this.#cluster = cluster;
    this.#id = this.#drawId();
    const pids = new Map<string, number>();
    this.machine = new ScriptedMachine(engineClock(clock, this.time), chance('machine'), scriptOf);
    this.machine.observe(({ what, status }) => {
      if (what === 'exited' || what === 'removed') this.network.ended(pids.get(status.id) ?? 0);
      if (status.pid !== undefined) pids.set(status.id, status.pid);
    });
    this.images = new ScriptedImages(images);
    this.disk = new VirtualDisk(clock, chance('disk'));
    this.store = new FaultyStore(memory, clock, chance('store'));
    this.grants = new MemoryGrants(clock, unsealFrom({ store: this.store, secrets }));
  }

  boot(): Boot {
    const life = ++this.#boots;
    const main = new LifeThread(this.#clock, this.time);
    const threads = { main, membership: new LifeThread(this.#clock, this.time) };
    const { clock } = main;
    const gate = new Gate((run) => main.arrive(run));
    const runtime = scriptedRuntime(this.machine, this.images, clock);
    const disk = this.disk.mount();
    const random = this.#chance(`life ${life}`);
    const end = () => {
      clock.end();
      threads.membership.clock.end();
      gate.shut();
      runtime.close();
      if (this.#cluster) vanish(this.#cluster.hub, this.#cluster.hub.addressOf(this.name));
    };
    const open = async (): Promise<OpenedWorld> => {
      if (gate.isShut) throw coded('HM-DATA-DIR', 'this life is over');
      const { journal, recovered, close } = await openJournal({ disk, clock, path: journalPath });
      const boot = this.#cluster && (await countBoot(journal));
      // An agent has its store at the server, which follows it.
      const store = this.role === 'server' ? followedStore(this.store, journal) : this.store;
      const cluster =
        boot === undefined
          ? undefined
          : await this.#openCluster(boot, life, threads, { journal, disk, offered: store });
      const ports: Ports = {
        store,
        journal,
        containers: withGrants(runtime, this.grants),
        images: scriptedImageSource(this.images, this.machine.engine),
        network: this.network,
        volumes: this.volumes,
        names: this.names,
        probes: scriptedProbe(this.machine, clock),
        secrets: this.#secrets,
        grants: this.grants,
      };
      return {
        ports: gate.guard(ports),
        ...(cluster ? { cluster: cluster.handle } : {}),
        ...(boot === undefined ? {} : { boot }),
        logs: noLogs,
        recovered,
        doctor: () => Promise.resolve([]),
        machine: () => Promise.resolve(simulatedMachine),
        close: async () => {
          await cluster?.close();
          await close();
          runtime.close();
        },
      };
    };
    return { world: { clock, random, open }, clock, threads, gate, end };
  }

  /** Its part in the cluster, where there is more than one node. */
  async #openCluster(
    boot: number,
    life: number,
    threads: Readonly<Record<ThreadName, LifeThread>>,
    {
      journal,
      disk,
      offered,
    }: { readonly journal: Journal; readonly disk: Disk; readonly offered: StateStore },
  ): Promise<SimulatedCluster | undefined> {
    const around = this.#cluster;
    if (!around) return undefined;
    const { hub, times, cipher, keys, joining } = around;
    const begunWith = keys();
    const means = {
      ...{ hub, times, cipher, ...threads },
      random: this.#chance(`cluster ${life}`),
      onFrame: (frame: Frame) => this.onMembershipFrame(frame),
      onLink: (counts: DatagramCounts) => void (this.datagrams = counts),
      onSaid: ({ id, incarnation }: MemberView) => this.#hasSaid(id, incarnation),
      raiseBoot: (above: number) => raiseBoot(journal, above),
    };
    const opened = joining
      ? await this.#join(joining, offered, { ...means, boot, journal, disk })
      : await this.#found(around, offered, { ...means, keys }, boot);
    const { membership } = opened.handle;
    membership.onChange((change) => this.onMember(change));
    this.membership = membership;
    this.cluster = opened.handle;
    // Told to those that were up: this one was on its way.
    if (!joining && keys() !== begunWith) membership.rotate(keys());
    if (opened.store) this.store.exchange(opened.store);
    return opened;
  }

  /** It finds itself in the cluster, as if it had always been there. */
  #found(
    { hub, server }: ClusterSurroundings,
    offered: StateStore,
    means: Omit<ClusterOptions, 'self' | 'server' | 'offered'>,
    boot: number,
  ): Promise<SimulatedCluster> {
    const { name, role } = this;
    const first = server();
    return openSimulatedCluster({
      ...means,
      self: { id: this.id, name, role, boot },
      server: { id: first.id, name: first.name, address: hub.addressOf(first.name) },
      offered: first === this ? offered : undefined,
    });
  }

  /** With a token and by the door, or with what it was given before. */
  #join(
    { certificateMs, seeds }: Joining,
    store: StateStore,
    means: Omit<
      JoinedOptions,
      'name' | 'address' | 'seeds' | 'offered' | 'certificateMs' | 'onGossip' | 'onDoor'
    >,
  ): Promise<SimulatedCluster> {
    const { name, role } = this;
    return openJoinedCluster({
      ...means,
      ...{ name, certificateMs, seeds: seeds(name), address: means.hub.addressOf(name) },
      offered: role === 'server' ? { store, secrets: this.#secrets } : undefined,
      onDoor: (stage) => this.onDoor(stage),
      onGossip: (id, label, gossipKeys) => {
        this.#id = id;
        this.ids.add(id);
        this.gossip = { label, keys: gossipKeys };
      },
    });
  }

  /** Another disk, another key: it is somebody else from now on. */
  renew(): void {
    this.disk.wipe();
    if (!this.#cluster?.joining) this.#id = this.#drawId();
  }

  /** A journal that was cut may count fewer boots than there were. */
  #hasSaid(id: string, incarnation: Incarnation): void {
    const before = this.said.get(id);
    if (!before || compareIncarnations(incarnation, before) > 0) this.said.set(id, incarnation);
  }

  /** Of its key. */
  get id(): string {
    return this.#id;
  }

  #drawId(): string {
    this.#identities += 1;
    const id = this.#chance(`identity ${this.#identities}`).hex(16);
    this.ids.add(id);
    return id;
  }
}

/** Containers end in true time; when that was, the engine reads off the machine's clock, as the daemon does. */
const engineClock = (world: Clock, time: MachineTime): Clock => ({
  now: () => time.now(),
  monotonicMs: () => world.monotonicMs(),
  setTimer: (delayMs, fire) => world.setTimer(delayMs, fire),
  clearTimer: (timer) => world.clearTimer(timer),
  defer: (run) => world.defer(run),
});
