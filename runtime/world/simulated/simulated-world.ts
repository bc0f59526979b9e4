/**
 * One simulated machine and its surroundings: the clock, the seed's chance, containers, disk, store, network. It
 * outlives every node that runs on it; `boot` gives the world of one life, which ends when it is told to.
 */
import { coded } from '../../../protocols/errors.ts';
import type { Ports, SecretBox } from '../../../protocols/ports.ts';
import { ScriptedImages, scriptedImageSource } from '../../drivers/container/scripted/images.ts';
import { ScriptedMachine } from '../../drivers/container/scripted/machine.ts';
import { scriptedRuntime } from '../../drivers/container/scripted/runtime.ts';
import type { ScriptOf } from '../../drivers/container/scripted/script.ts';
import { MemoryNames } from '../../drivers/dns/memory-names.ts';
import { MemoryGrants } from '../../drivers/grants/memory-grants.ts';
import { unsealFrom, withGrants } from '../../drivers/grants/unseal.ts';
import { openJournal } from '../../drivers/journal/journal.ts';
import { MemoryNetwork } from '../../drivers/network/memory/memory-network.ts';
import { MemoryKeys } from '../../drivers/secrets/key-ring.ts';
import { createSecretBox } from '../../drivers/secrets/secret-box.ts';
import { createMemoryStore, type MemoryStore } from '../../drivers/store/memory/memory-store.ts';
import { scriptedProbe } from '../../drivers/probe/scripted-probe.ts';
import { MemoryVolumes } from '../../drivers/volume/memory.ts';
import type { LogStore, MachineFacts } from '../../node-handle.ts';
import { HeapClock } from '../heap-clock.ts';
import type { OpenedWorld, World } from '../world.ts';
import { BootClock } from './boot-clock.ts';
import { chanceFor } from './chance.ts';
import { FaultyStore } from './faulty-store.ts';
import { Gate } from './gate.ts';
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

/** One life's world, and the means to end it. */
export interface Boot {
  readonly world: World;
  readonly clock: BootClock;
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

export class SimulatedWorld {
  readonly clock = new HeapClock();
  readonly seed: number;
  readonly machine: ScriptedMachine;
  readonly images: ScriptedImages;
  readonly disk: VirtualDisk;
  readonly network = new MemoryNetwork();
  readonly volumes = new MemoryVolumes();
  readonly names = new MemoryNames();
  /** What the node meets; behind it stands `memory` or, for a while, another. */
  readonly store: FaultyStore;
  memory: MemoryStore;
  /** Told when the store's process was restarted. */
  onMemory: (memory: MemoryStore) => void = () => {};
  /** Its keys outlive every life, as a key file does. */
  readonly secrets: SecretBox;
  readonly grants: MemoryGrants;
  #boots = 0;

  constructor(seed: number, options: { readonly images: readonly string[]; readonly scriptOf: ScriptOf }) {
    this.seed = seed;
    const pids = new Map<string, number>();
    this.machine = new ScriptedMachine(this.clock, chanceFor(seed, 'machine'), options.scriptOf);
    this.machine.observe(({ what, status }) => {
      if (what === 'exited' || what === 'removed') this.network.ended(pids.get(status.id) ?? 0);
      if (status.pid !== undefined) pids.set(status.id, status.pid);
    });
    this.images = new ScriptedImages(options.images);
    this.disk = new VirtualDisk(this.clock, chanceFor(seed, 'disk'));
    this.memory = createMemoryStore({ clock: this.clock, random: chanceFor(seed, 'memory') });
    this.secrets = createSecretBox({
      storage: new MemoryKeys(),
      random: chanceFor(seed, 'secrets'),
      store: () => this.memory,
    });
    this.store = new FaultyStore(this.memory, this.clock, chanceFor(seed, 'store'));
    this.grants = new MemoryGrants(this.clock, unsealFrom({ store: this.store, secrets: this.secrets }));
  }

  /** The store's process restarts: what waited is refused, what was answered is there. */
  async restartMemory(): Promise<void> {
    const image = this.memory.image();
    await this.memory.close();
    const random = chanceFor(this.seed, `memory ${image.commits.length}`);
    this.memory = createMemoryStore({ clock: this.clock, random, image });
    this.onMemory(this.memory);
    this.store.exchange(this.memory);
  }

  boot(): Boot {
    const life = ++this.#boots;
    const clock = new BootClock(this.clock);
    const gate = new Gate();
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
        secrets: this.secrets,
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
    return { world: { clock, random: chanceFor(this.seed, `life ${life}`), open }, clock, gate, end };
  }
}
