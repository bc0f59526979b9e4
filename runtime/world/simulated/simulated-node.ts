/**
 * One simulated machine with what stands on it: containers, images, disk, network, volumes, names, files of runs. It
 * outlives every daemon that runs there; `boot` gives the world of one life, which ends when it is told to.
 */
import type { NodeRole } from '../../../protocols/wire/catalogue.ts';
import { coded } from '../../../protocols/errors.ts';
import type { Clock, Ports, Random, SecretBox } from '../../../protocols/ports.ts';
import { ScriptedImages, scriptedImageSource } from '../../drivers/container/scripted/images.ts';
import { ScriptedMachine } from '../../drivers/container/scripted/machine.ts';
import { scriptedRuntime } from '../../drivers/container/scripted/runtime.ts';
import type { ScriptOf } from '../../drivers/container/scripted/script.ts';
import { MemoryNames } from '../../drivers/dns/memory-names.ts';
import { MemoryGrants } from '../../drivers/grants/memory-grants.ts';
import { unsealFrom, withGrants } from '../../drivers/grants/unseal.ts';
import { openJournal } from '../../drivers/journal/journal.ts';
import { MemoryNetwork } from '../../drivers/network/memory/memory-network.ts';
import type { MemoryStore } from '../../drivers/store/memory/memory-store.ts';
import { scriptedProbe } from '../../drivers/probe/scripted-probe.ts';
import { MemoryVolumes } from '../../drivers/volume/memory.ts';
import type { MachineFacts } from '../../../protocols/observed/model.ts';
import type { LogStore } from '../../node-handle.ts';
import type { OpenedWorld, World } from '../world.ts';
import { BootClock } from './boot-clock.ts';
import { FaultyStore } from './faulty-store.ts';
import { Gate } from './gate.ts';
import { MachineTime, ThreadClock } from './node-clock.ts';
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
  /** The thread of its actors, and that of its membership. */
  readonly threads: Readonly<Record<ThreadName, ThreadClock>>;
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
  #boots = 0;

  constructor(
    name: string,
    role: NodeRole,
    { clock, chance, memory, secrets, images, scriptOf }: Surroundings,
  ) {
    this.name = name;
    this.role = role;
    this.#clock = clock;
    this.time = new MachineTime(clock);
    this.#chance = chance;
    this.#secrets = secrets;
    const pids = new Map<string, number>();
    this.machine = new ScriptedMachine(clock, chance('machine'), scriptOf);
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
    const main = new ThreadClock(this.#clock, this.time);
    const threads = { main, membership: new ThreadClock(this.#clock, this.time) };
    const clock = new BootClock(main);
    const gate = new Gate((run) => main.arrive(run));
    const runtime = scriptedRuntime(this.machine, this.images, clock);
    const disk = this.disk.mount();
    const end = () => {
      clock.end();
      gate.shut();
      runtime.close();
    };
    const open = async (): Promise<OpenedWorld> => {
      if (gate.isShut) throw coded('HM-DATA-DIR', 'this life is over');
      const { journal, recovered, close } = await openJournal({ disk, clock, path: journalPath });
      const ports: Ports = {
        store: this.store,
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
        logs: noLogs,
        recovered,
        doctor: () => Promise.resolve([]),
        machine: () => Promise.resolve(simulatedMachine),
        close: async () => {
          await close();
          runtime.close();
        },
      };
    };
    return { world: { clock, random: this.#chance(`life ${life}`), open }, clock, threads, gate, end };
  }
}
