/** What each fault does to the simulated world, and how the world is healed. */
import type { ContainerStatus } from '../../protocols/containers/model.ts';
import type { ScriptedPull } from '../drivers/container/scripted/images.ts';
import { paths } from '../../protocols/wire/paths.ts';
import { createMemoryStore, type StoreImage } from '../drivers/store/memory/memory-store.ts';
import { chanceFor } from '../world/simulated/chance.ts';
import { soundStore } from '../world/simulated/faulty-store.ts';
import { journalPath, type SimulatedWorld } from '../world/simulated/simulated-world.ts';
import { soundDisk } from '../world/simulated/virtual-disk.ts';
import type { Life } from './life.ts';
import { bindSource, imageName, images, type Fault } from './plans/plan.ts';
import { scriptOf } from './plans/workload.ts';

export interface FaultEvents {
  onCut(): void;
  onFalseStore(there: boolean): void;
  /** The journal says which store this node follows. */
  followsStore(): boolean;
}

/** What a registry does about an image that is gone: the first it does not have, the second comes slowly, the third is not what it says. */
const registryWays: readonly (ScriptedPull | undefined)[] = [
  undefined,
  { tookMs: 4_000 },
  { tookMs: 400, fails: 'HM-IMAGE-DIGEST' },
];

export class Faults {
  readonly #world: SimulatedWorld;
  readonly #life: Life;
  readonly #events: FaultEvents;
  readonly #ports: readonly number[];
  /** Windows that are open. */
  #open = 0;
  #healed = false;
  /** Newer windows of one kind end older ones: their end must not heal the newer. */
  readonly #windows = new Map<string, number>();
  /** Defects to come, by call. */
  readonly #defects = new Map<string, number>();
  #falseStore = false;
  /** An image of the true store as it was a while ago. */
  #older: StoreImage;
  #engineTroubledAtMs = -Infinity;

  constructor(world: SimulatedWorld, life: Life, events: FaultEvents) {
    this.#world = world;
    this.#life = life;
    this.#events = events;
    this.#ports = Array.from({ length: 2 }, (_, app) =>
      Array.from({ length: 4 }, (__, position) => 8_000 + app * 100 + position),
    ).flat();
    this.#older = world.memory.image();
  }

  get calm(): boolean {
    return this.#open === 0;
  }

  get storeIsFalse(): boolean {
    return this.#falseStore;
  }

  engineTroubledWithin(ms: number): boolean {
    const { machine, clock } = this.#world;
    return machine.engine.health !== 'up' || clock.monotonicMs() - this.#engineTroubledAtMs <= ms;
  }

  /** Throws when a defect was planted for this call. */
  strike(call: string): void {
    const left = this.#defects.get(call);
    if (left === undefined) return;
    if (left <= 1) this.#defects.delete(call);
    else this.#defects.set(call, left - 1);
    throw new Error(`planted defect in ${call}`);
  }

  apply(fault: Fault): void {
    switch (fault.do) {
      case 'kill':
      case 'stop':
      case 'cut':
        return this.#strikeDaemon(fault);
      case 'crash':
      case 'take':
      case 'runtime':
      case 'image':
        return this.#strikeContainers(fault);
      case 'store':
      case 'storeSlow':
      case 'storeLoses':
      case 'watches':
      case 'storeSwap':
        return this.#strikeStore(fault);
      case 'disk':
      case 'portTaken':
      case 'bindMissing':
        return this.#strikeMachine(fault);
      case 'defect':
        return void this.#defects.set(fault.call, fault.times);
      case 'flood':
        return this.#flood(fault.messages);
    }
  }

  #strikeDaemon(fault: Extract<Fault, { do: 'kill' | 'stop' | 'cut' }>): void {
    const { clock, disk } = this.#world;
    if (fault.do === 'kill') {
      const then = () => (fault.embedded && !this.#falseStore ? this.#world.restartMemory() : undefined);
      this.#life.kill(fault.afterCalls, fault.downMs, then);
    } else if (fault.do === 'stop') {
      void this.#life.stop().then(() => {
        clock.setTimer(fault.downMs, () => this.#life.start());
      });
    } else if (!this.#falseStore) {
      // Its journal alone says which store a node follows: one cut under a false store rightly follows that one for good.
      this.#life.kill(0, 1_000, () => {
        disk.truncate(journalPath, fault.share);
        this.#events.onCut();
      });
    }
  }

  #strikeContainers(fault: Extract<Fault, { do: 'crash' | 'take' | 'runtime' | 'image' }>): void {
    const { machine, images: held } = this.#world;
    if (fault.do === 'runtime') return this.#runtime(fault);
    if (fault.do === 'take') return this.#pick(fault.which, (one) => machine.remove(one.id, 'fault'));
    if (fault.do === 'crash') {
      const code = fault.oom ? 137 : fault.code;
      return this.#pick(fault.which, (one) => machine.crash(one.id, code, fault.oom));
    }
    const name = imageName(fault.image);
    this.#window(
      name,
      fault.forMs,
      () => {
        held.drop(name);
        const pull = registryWays[fault.image];
        if (pull) held.publish(name, pull);
      },
      () => {
        held.unpublish(name);
        held.add(name);
      },
    );
  }

  #strikeStore(
    fault: Extract<Fault, { do: 'store' | 'storeSlow' | 'storeLoses' | 'watches' | 'storeSwap' }>,
  ): void {
    const { store } = this.#world;
    if (fault.do === 'storeSwap') return this.#swap(fault);
    if (fault.do === 'watches')
      return fault.as === 'broken' ? store.breakWatches() : void store.compactWatches();
    const [begun, ended] =
      fault.do === 'store'
        ? [{ reach: fault.as }, { reach: soundStore.reach }]
        : fault.do === 'storeSlow'
          ? [{ tookMs: fault.tookMs }, { tookMs: soundStore.tookMs }]
          : [{ lostAnswers: fault.share }, { lostAnswers: 0 }];
    this.#window(
      fault.do,
      fault.forMs,
      () => (store.faults = { ...store.faults, ...begun }),
      () => (store.faults = { ...store.faults, ...ended }),
    );
  }

  #strikeMachine(fault: Extract<Fault, { do: 'disk' | 'portTaken' | 'bindMissing' }>): void {
    const { machine, disk, network, volumes } = this.#world;
    const foreign = () => this.#ports.forEach((port) => network.foreign.add(port));
    if (fault.do === 'portTaken')
      return this.#window('ports', fault.forMs, foreign, () => network.foreign.clear());
    if (fault.do === 'bindMissing') {
      const take = () => volumes.missing.add(bindSource);
      return this.#window('binds', fault.forMs, take, () => volumes.missing.clear());
    }
    const full = fault.as === 'full';
    const syncMs = fault.as === 'slow' ? 400 : soundDisk.syncMs;
    const space = (isFull: boolean) => {
      machine.diskFull = isFull;
      volumes.full = isFull;
    };
    this.#window(
      'disk',
      fault.forMs,
      () => {
        space(full);
        disk.faults = { full, syncFails: fault.as === 'failing', syncMs };
      },
      () => {
        space(false);
        disk.faults = soundDisk;
      },
    );
  }

  /** Everything that is wrong is put right; what is down comes up. */
  heal(): void {
    this.#healed = true;
    this.#open = 0;
    this.#windows.clear();
    this.#defects.clear();
    const { machine, store, disk, images: imagesHeld, network, volumes } = this.#world;
    this.#noteEngine();
    machine.deaf = false;
    machine.diskFull = false;
    volumes.full = false;
    machine.engine.turn('up');
    machine.resync();
    machine.scriptOf = (create) => scriptOf(create, true);
    machine.rescript((create) => scriptOf(create, true));
    if (this.#falseStore) this.#trueStore();
    store.faults = soundStore;
    disk.faults = soundDisk;
    for (let image = 0; image < images; image += 1) {
      imagesHeld.unpublish(imageName(image));
      imagesHeld.add(imageName(image));
    }
    network.foreign.clear();
    volumes.missing.clear();
    this.#life.disarm();
    this.#life.start();
  }

  #window(kind: string, forMs: number, begin: () => void, end: () => void): void {
    const number = (this.#windows.get(kind) ?? 0) + 1;
    this.#windows.set(kind, number);
    this.#open += 1;
    begin();
    this.#world.clock.setTimer(forMs, () => {
      if (this.#healed) return;
      this.#open -= 1;
      if (this.#windows.get(kind) === number) end();
    });
  }

  #runtime({ as, forMs }: Extract<Fault, { do: 'runtime' }>): void {
    const { machine } = this.#world;
    this.#window(
      'runtime',
      forMs,
      () => {
        this.#noteEngine();
        machine.deaf = as === 'deaf';
        machine.engine.turn(as === 'deaf' ? 'up' : as);
      },
      () => {
        this.#noteEngine();
        machine.deaf = false;
        machine.engine.turn('up');
        machine.resync();
      },
    );
  }

  /** Before it changes: until now it was so. */
  #noteEngine(): void {
    const { machine, clock } = this.#world;
    if (machine.engine.health !== 'up' || machine.deaf) this.#engineTroubledAtMs = clock.monotonicMs();
  }

  #swap({ as, forMs, kill }: Extract<Fault, { do: 'storeSwap' }>): void {
    // Who has followed no store yet may follow any.
    if (this.#falseStore || !this.#events.followsStore()) return;
    const enter = () => {
      const { clock, memory, seed } = this.#world;
      const random = chanceFor(seed, `false store ${clock.monotonicMs()}`);
      const older = as === 'older' && this.#older.commits.length < memory.image().commits.length;
      const other = createMemoryStore({
        clock,
        random,
        ...(older
          ? { image: this.#older }
          : as === 'foreign'
            ? { image: { ...memory.image(), identity: { id: random.hex(16), epoch: 1 } } }
            : {}),
      });
      this.#falseStore = true;
      this.#events.onFalseStore(true);
      this.#world.store.exchange(other);
    };
    this.#window(
      'storeSwap',
      forMs,
      () => (kill ? this.#life.kill(0, 500, enter) : enter()),
      () => this.#trueStore(),
    );
  }

  #trueStore(): void {
    if (!this.#falseStore) return;
    this.#falseStore = false;
    this.#events.onFalseStore(false);
    this.#world.store.exchange(this.#world.memory);
  }

  /** Remembers the store as it is, for a later return to it. */
  remember(): void {
    if (!this.#falseStore) this.#older = this.#world.memory.image();
  }

  #flood(messages: number): void {
    for (let sent = 0; sent < messages; sent += 1)
      void this.#life
        .during((node) => node.ask(paths.manager, { type: 'observed.report' }))
        .catch(() => undefined);
  }

  #pick(which: number, act: (one: ContainerStatus) => void): void {
    const running = this.#world.machine.list().filter((container) => container.phase === 'running');
    const one = running[Math.min(running.length - 1, Math.floor(which * running.length))];
    if (one) act(one);
  }
}
