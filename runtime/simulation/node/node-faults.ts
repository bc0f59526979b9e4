/** What each fault does to one simulated node and what it stands on, and how that is healed. */
import type { ContainerStatus } from '../../../protocols/containers/model.ts';
import { paths } from '../../../protocols/wire/paths.ts';
import type { ScriptedPull } from '../../drivers/container/scripted/images.ts';
import { soundStore } from '../../world/simulated/faulty-store.ts';
import { journalPath, type SimulatedNode } from '../../world/simulated/simulated-node.ts';
import type { SimulatedWorld } from '../../world/simulated/simulated-world.ts';
import { soundDisk } from '../../world/simulated/virtual-disk.ts';
import type { FalseStore } from '../cluster/false-store.ts';
import { bindSource, imageName, images, type Fault } from '../plans/plan.ts';
import { scriptOf } from '../plans/workload.ts';
import type { Life } from './life.ts';
import { Windows } from './windows.ts';

export interface FaultEvents {
  onCut(): void;
  /** The journal says which store this node follows. */
  followsStore(): boolean;
}

/** What a registry does about an image that is gone: the first it does not have, the second comes slowly, the third is not what it says. */
const registryWays: readonly (ScriptedPull | undefined)[] = [
  undefined,
  { tookMs: 4_000 },
  { tookMs: 400, fails: 'HM-IMAGE-DIGEST' },
];

export class NodeFaults {
  readonly #world: SimulatedWorld;
  readonly #place: SimulatedNode;
  readonly #life: Life;
  readonly #falseStore: FalseStore;
  readonly #events: FaultEvents;
  readonly #ports: readonly number[];
  readonly #windows: Windows;
  /** Defects to come, by call. */
  readonly #defects = new Map<string, number>();
  #engineTroubledAtMs = -Infinity;

  constructor(
    world: SimulatedWorld,
    { place, life }: { readonly place: SimulatedNode; readonly life: Life },
    falseStore: FalseStore,
    events: FaultEvents,
  ) {
    this.#world = world;
    this.#place = place;
    this.#life = life;
    this.#falseStore = falseStore;
    this.#events = events;
    this.#windows = new Windows(world.clock);
    this.#ports = Array.from({ length: 2 }, (_, app) =>
      Array.from({ length: 4 }, (__, position) => 8_000 + app * 100 + position),
    ).flat();
  }

  get calm(): boolean {
    return this.#windows.open === 0;
  }

  engineTroubledWithin(ms: number): boolean {
    const { machine } = this.#place;
    const { clock } = this.#world;
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
    if (fault.do === 'kill') {
      const then = () =>
        fault.embedded && !this.#falseStore.there ? this.#world.restartMemory() : undefined;
      this.#life.kill(fault.afterCalls, fault.downMs, then);
    } else if (fault.do === 'stop') {
      void this.#life.stop().then(() => {
        this.#life.restartIn(fault.downMs);
      });
    } else if (!this.#falseStore.there) {
      // Its journal alone says which store a node follows: one cut under a false store rightly follows that one for good.
      this.#life.kill(0, 1_000, () => {
        this.#place.disk.truncate(journalPath, fault.share);
        this.#events.onCut();
      });
    }
  }

  #strikeContainers(fault: Extract<Fault, { do: 'crash' | 'take' | 'runtime' | 'image' }>): void {
    const { machine, images: held } = this.#place;
    if (fault.do === 'runtime') return this.#runtime(fault);
    if (fault.do === 'take') return this.#pick(fault.which, (one) => machine.remove(one.id, 'fault'));
    if (fault.do === 'crash') {
      const code = fault.oom ? 137 : fault.code;
      return this.#pick(fault.which, (one) => machine.crash(one.id, code, fault.oom));
    }
    const name = imageName(fault.image);
    this.#windows.begin(
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
    const { store } = this.#place;
    if (fault.do === 'storeSwap') return this.#swap(fault);
    if (fault.do === 'watches')
      return fault.as === 'broken' ? store.breakWatches() : void store.compactWatches();
    const [begun, ended] =
      fault.do === 'store'
        ? [{ reach: fault.as }, { reach: soundStore.reach }]
        : fault.do === 'storeSlow'
          ? [{ tookMs: fault.tookMs }, { tookMs: soundStore.tookMs }]
          : [{ lostAnswers: fault.share }, { lostAnswers: 0 }];
    this.#windows.begin(
      fault.do,
      fault.forMs,
      () => (store.faults = { ...store.faults, ...begun }),
      () => (store.faults = { ...store.faults, ...ended }),
    );
  }

  #strikeMachine(fault: Extract<Fault, { do: 'disk' | 'portTaken' | 'bindMissing' }>): void {
    const { machine, disk, network, volumes } = this.#place;
    const foreign = () => this.#ports.forEach((port) => network.foreign.add(port));
    if (fault.do === 'portTaken')
      return this.#windows.begin('ports', fault.forMs, foreign, () => network.foreign.clear());
    if (fault.do === 'bindMissing') {
      const take = () => volumes.missing.add(bindSource);
      return this.#windows.begin('binds', fault.forMs, take, () => volumes.missing.clear());
    }
    const full = fault.as === 'full';
    const syncMs = fault.as === 'slow' ? 400 : soundDisk.syncMs;
    const space = (isFull: boolean) => {
      machine.diskFull = isFull;
      volumes.full = isFull;
    };
    this.#windows.begin(
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

  /** Everything that is wrong is put right, `between` in the middle of it; what is down comes up. */
  heal(between: () => void): void {
    this.#windows.heal();
    this.#defects.clear();
    const { machine, store, disk, images: held, network, volumes } = this.#place;
    this.#noteEngine();
    machine.deaf = false;
    machine.diskFull = false;
    volumes.full = false;
    machine.engine.turn('up');
    machine.resync();
    machine.scriptOf = (create) => scriptOf(create, true);
    machine.rescript((create) => scriptOf(create, true));
    between();
    store.faults = soundStore;
    disk.faults = soundDisk;
    for (let image = 0; image < images; image += 1) {
      held.unpublish(imageName(image));
      held.add(imageName(image));
    }
    network.foreign.clear();
    volumes.missing.clear();
    this.#life.disarm();
    this.#life.start();
  }

  #runtime({ as, forMs }: Extract<Fault, { do: 'runtime' }>): void {
    const { machine } = this.#place;
    this.#windows.begin(
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
    const { machine } = this.#place;
    if (machine.engine.health !== 'up' || machine.deaf)
      this.#engineTroubledAtMs = this.#world.clock.monotonicMs();
  }

  #swap({ as, forMs, kill }: Extract<Fault, { do: 'storeSwap' }>): void {
    // Who has followed no store yet may follow any.
    if (this.#falseStore.there || !this.#events.followsStore()) return;
    const enter = () => this.#falseStore.enter(as);
    this.#windows.begin(
      'storeSwap',
      forMs,
      () => (kill ? this.#life.kill(0, 500, enter) : enter()),
      () => this.#falseStore.leave(),
    );
  }

  #flood(messages: number): void {
    for (let sent = 0; sent < messages; sent += 1)
      void this.#life
        .during((node) => node.ask(paths.manager, { type: 'observed.report' }))
        .catch(() => undefined);
  }

  #pick(which: number, act: (one: ContainerStatus) => void): void {
    const running = this.#place.machine.list().filter((container) => container.phase === 'running');
    const one = running[Math.min(running.length - 1, Math.floor(which * running.length))];
    if (one) act(one);
  }
}
