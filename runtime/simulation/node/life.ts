/**
 * The lives of the simulated daemon: it is started, killed, stopped, started again. What a restarter around the real
 * daemon does (systemd, or ours) is done here: a node that ends by itself or cannot start is started again.
 */
import { reasonOf, type Reason } from '../../../protocols/errors.ts';
import type { Frame } from '../../../protocols/inspection.ts';
import type { Clock } from '../../../protocols/ports.ts';
import { startNode, type RunningNode } from '../../node.ts';
import type { PortCall } from '../../world/simulated/gate.ts';
import type { Boot, SimulatedNode, ThreadName } from '../../world/simulated/simulated-node.ts';
import type { NodeSettings } from '../../world/world.ts';
import type { Remains } from '../checkers/checker.ts';

const settings: Omit<NodeSettings, 'name'> = {
  version: '0.0.0-simulated',
  containerPool: '10.42.0.0/16',
  bridge: 'hive0',
  networkTag: 'sim',
  mtu: 1_500,
  dnsPort: 53,
  upstreams: [],
};

/** How soon a node that ended by itself is started again. */
const restartMs = 1_000;

export interface LifeEvents {
  onBoot(): void;
  onFrame(frame: Frame): void;
  onEnd(remains: Remains): void;
  /** Before each call of a port; may throw what the port shall throw. */
  onCall(call: PortCall): void;
  /** What a call was answered. */
  onAnswer(call: PortCall, value: unknown): void;
  /** A watch is opened; what is given hears what it brings. */
  onWatch(call: PortCall): (notice: unknown) => void;
  /** A failure of the harness or of the product outside of any actor. */
  onDefect(error: unknown): void;
}

/** When a life was told to stop, and when it came to its end. */
export interface Stopped {
  readonly toldMs: number;
  readonly endedMs: number;
}

export class Life {
  readonly #place: SimulatedNode;
  readonly #clock: Clock;
  readonly #events: LifeEvents;
  #boot: Boot | undefined;
  #node: RunningNode | undefined;
  /** Told when the present life ends. */
  readonly #ends = new Set<() => void>();
  #keptDown = false;
  #callsToKill: { left: number; kill: () => void } | undefined;
  /** Of its last start or end. */
  #changedAtMs = 0;
  #stopped: Stopped | undefined;
  /** Why the last start failed, until one succeeds. */
  refusal: Reason | undefined;
  boots = 0;
  kills = 0;

  /** `clock`: of the world, not of any life. */
  constructor(place: SimulatedNode, clock: Clock, events: LifeEvents) {
    this.#place = place;
    this.#clock = clock;
    this.#events = events;
  }

  /** Something that goes on beside the life has failed. */
  readonly defect = (error: unknown): void => this.#events.onDefect(error);

  /** The running node; absent while it is down or starting. */
  get node(): RunningNode | undefined {
    return this.#node;
  }

  /** A thread of the present life stands still until what is answered is called, or the life ends. */
  halt(thread: ThreadName): () => void {
    return this.#boot?.threads[thread].thread.halt() ?? (() => {});
  }

  /** Its main thread does. */
  get stands(): boolean {
    return this.#boot?.threads.main.thread.stands ?? false;
  }

  /** Since when it runs and has opened its world. */
  get upSinceMs(): number | undefined {
    return this.#node === undefined ? undefined : this.#changedAtMs;
  }

  /** Since when there is no process. */
  get downSinceMs(): number | undefined {
    return this.#boot === undefined ? this.#changedAtMs : undefined;
  }

  /** Of the last life that is over, if it ended so and took no leave before. */
  get stopped(): Stopped | undefined {
    return this.#stopped;
  }

  start(): void {
    this.#keptDown = false;
    if (this.#boot !== undefined) return;
    const boot = this.#place.boot();
    this.#boot = boot;
    this.boots += 1;
    boot.gate.onCall = (call) => this.#called(call);
    boot.gate.onAnswer = (call, outcome) => {
      if ('value' in outcome) this.#events.onAnswer(call, outcome.value);
    };
    boot.gate.onWatch = (call) => this.#events.onWatch(call);
    this.#events.onBoot();
    startNode(
      boot.world,
      { ...settings, name: this.#place.name, role: this.#place.role },
      { onFrame: (frame) => this.#events.onFrame(frame) },
    ).then(
      (node) => this.#started(boot, node),
      (error: unknown) => this.#failed(boot, error),
    );
  }

  /** Unless it is kept down then. */
  restartIn(ms: number): void {
    this.#clock.setTimer(ms, () => {
      if (!this.#keptDown) this.start();
    });
  }

  #started(boot: Boot, node: RunningNode): void {
    if (boot !== this.#boot) return;
    this.#node = node;
    this.refusal = undefined;
    this.#changedAtMs = this.#clock.monotonicMs();
    void this.#place.cluster?.care?.left.then((because) => this.#expelled(boot, because));
    void node.exited.then((exit) => {
      if (boot !== this.#boot || exit.kind !== 'error') return;
      // The root gave up: the process ends, and is started again.
      this.#finish('kill');
      this.restartIn(restartMs);
    });
  }

  /** Another has its name: the process ends, and is started again. */
  async #expelled(boot: Boot, because: Reason | undefined): Promise<void> {
    if (because === undefined || boot !== this.#boot) return;
    await this.stop();
    if (this.#boot !== undefined) return;
    this.refusal = because;
    this.restartIn(restartMs);
  }

  #failed(boot: Boot, error: unknown): void {
    // What no world says when it refuses to open.
    if (error instanceof TypeError || error instanceof ReferenceError) this.#events.onDefect(error);
    if (boot !== this.#boot) return;
    this.refusal = reasonOf(error);
    this.#finish('kill');
    this.restartIn(restartMs);
  }

  #called(call: PortCall): void {
    const count = this.#callsToKill;
    if (count !== undefined && count.left-- <= 0) {
      this.#callsToKill = undefined;
      count.kill();
      return;
    }
    this.#events.onCall(call);
  }

  /** kill −9 after so many more calls; 0: now. `then` runs while the node is down. */
  kill(afterCalls: number, downMs: number, then: () => void | Promise<void> = () => {}): void {
    const kill = () => {
      if (this.#boot === undefined) return;
      this.kills += 1;
      this.#finish('kill');
      this.#place.disk.lose();
      const done = then();
      void Promise.resolve(done).then(() => {
        this.restartIn(downMs);
      }, this.#events.onDefect);
    };
    if (afterCalls === 0) kill();
    else this.#callsToKill = { left: afterCalls, kill };
  }

  /** Killed, and it stays so until somebody starts it. */
  keepDown(): void {
    this.kill(0, 0);
    this.#keptDown = true;
  }

  /** Says farewell, and stops. */
  async leave(): Promise<void> {
    const { cluster, membership, role } = this.#place;
    const leave = role === 'agent' ? cluster?.care?.leave : undefined;
    await this.during(() => leave?.() ?? membership?.leave() ?? Promise.resolve()).catch(() => undefined);
    await this.stop();
    this.#stopped = undefined;
  }

  /** What was to be killed is not. */
  disarm(): void {
    this.#callsToKill = undefined;
  }

  /** A clean stop. Resolves when the life is over. */
  async stop(): Promise<void> {
    const { boot, node } = { boot: this.#boot, node: this.#node };
    if (boot === undefined || node === undefined) return this.kill(0, 0);
    const toldMs = this.#clock.monotonicMs();
    await node.stop();
    if (boot !== this.#boot) return;
    this.#finish('stop');
    this.#stopped = { toldMs, endedMs: this.#changedAtMs };
  }

  /** Resolves with `undefined` when the life ends first: nobody answers any more. */
  async during<Value>(ask: (node: RunningNode) => Promise<Value>): Promise<Value | undefined> {
    const node = this.#node;
    if (node === undefined) return undefined;
    return new Promise((resolve, reject) => {
      const ended = () => resolve(undefined);
      this.#ends.add(ended);
      ask(node)
        .then(resolve, reject)
        .finally(() => this.#ends.delete(ended));
    });
  }

  #finish(how: Remains['how']): void {
    const boot = this.#boot;
    const node = this.#node;
    if (boot === undefined) return;
    this.#changedAtMs = this.#clock.monotonicMs();
    this.#stopped = undefined;
    this.#boot = undefined;
    this.#node = undefined;
    this.#callsToKill = undefined;
    const remains: Remains = {
      how,
      actors: node?.actors.tree() ?? [],
      timers: boot.clock.armed,
      streams: boot.gate.streams,
    };
    boot.end();
    node?.halt();
    for (const told of [...this.#ends]) told();
    this.#ends.clear();
    try {
      this.#events.onEnd(remains);
    } catch (error) {
      this.#events.onDefect(error);
    }
  }
}
