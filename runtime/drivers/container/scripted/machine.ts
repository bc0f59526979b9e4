/**
 * The scripted machine: containers whose processes follow a script, on a clock. Like containerd and its shims it
 * outlives every `hivemind-node` that talks to it; `runtime.ts` is one such conversation. Not a driver by itself.
 *
 * Invariant: a container only goes forward, unknown → created → running → stopped, and then it is removed.
 */
import { lendingSlot } from '../../../../protocols/apps/model.ts';
import type {
  ContainerCreate,
  ContainerExit,
  ContainerStatus,
  RuntimeEvent,
  RuntimePhase,
} from '../../../../protocols/containers/model.ts';
import { resourcesMark } from '../../../../protocols/containers/oci/resources.ts';
import type { Clock, Random } from '../../../../protocols/ports.ts';
import { Engine } from './engine.ts';
import type { ScriptedFiles } from './files.ts';
import { idleScript, signalCode, type ContainerScript, type ScriptOf } from './script.ts';

/**
 * What happened to a container, whoever is there to see it. `by`: a call, the script, or a fault from outside. `notified`: it
 * got a signal that does not end it.
 */
export interface MachineEvent {
  readonly what:
    | 'made'
    | 'created'
    | 'started'
    | 'signalled'
    | 'notified'
    | 'killed'
    | 'exited'
    | 'removed'
    | 'paused'
    | 'resumed'
    | 'updated';
  readonly status: ContainerStatus;
  readonly by: 'call' | 'script' | 'fault';
}

interface Held {
  status: ContainerStatus;
  script: ContainerScript;
  readonly create: ContainerCreate;
  startedAt?: number;
  /** Of its end to come. */
  timer?: unknown;
  end?: { readonly at: number; readonly run: () => void };
  pausedAt?: number;
  readonly files: ScriptedFiles;
  signalled?: true;
}

/** The first process of a container does not get what it has no handler for: the kernel drops it. */
const ends = (signal: string, { spec }: ContainerCreate): boolean =>
  ['SIGTERM', 'SIGINT', 'SIGQUIT', spec.stopSignal].includes(signal);

const alive: ReadonlySet<RuntimePhase> = new Set(['created', 'running', 'paused']);

export class ScriptedMachine {
  readonly engine: Engine;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #held = new Map<string, Held>();
  readonly #made = new Map<string, number>();
  readonly #events = new Set<(event: RuntimeEvent) => void>();
  readonly #observers = new Set<(event: MachineEvent) => void>();
  #pids = 1_000;
  scriptOf: ScriptOf;
  /** Share of creates cut off by a dying client or engine that leave a record without a task. */
  leftovers = 0.5;
  /** Share of creates that hung until nobody waited and are carried out all the same. */
  lateCreates = 0.3;
  /** While true nothing can be created. */
  diskFull = false;
  /** While true events of exits reach nobody. */
  deaf = false;

  constructor(clock: Clock, random: Random, scriptOf: ScriptOf = () => idleScript) {
    this.engine = new Engine(clock, random);
    this.#clock = clock;
    this.#random = random;
    this.scriptOf = scriptOf;
  }

  chance(probability: number): boolean {
    return this.#random.next() < probability;
  }

  list(): readonly ContainerStatus[] {
    return [...this.#held.values()].map((held) => held.status);
  }

  find(id: string): ContainerStatus | undefined {
    return this.#held.get(id)?.status;
  }

  /** The create request it was made with. */
  created(id: string): ContainerCreate | undefined {
    return this.#held.get(id)?.create;
  }

  filesOf(id: string): ScriptedFiles {
    return this.#must(id).files;
  }

  scriptFor(id: string): ContainerScript | undefined {
    return this.#held.get(id)?.script;
  }

  /** ms since the start; 0 when it never started. */
  upMs(id: string): number {
    const startedAt = this.#held.get(id)?.startedAt;
    return startedAt === undefined ? 0 : this.#clock.monotonicMs() - startedAt;
  }

  /** Containers that are there follow another script from now on; what was to end by itself no longer does. */
  rescript(scriptOf: (create: ContainerCreate) => ContainerScript): void {
    for (const held of this.#held.values()) {
      held.script = scriptOf(held.create);
      if (held.signalled) continue;
      this.#clock.clearTimer(held.timer);
      delete held.end;
      const { exit } = held.script;
      if (exit && held.status.phase === 'running')
        this.#endIn(held, exit.afterMs, exit.code, 'script', exit.oom ?? false);
    }
  }

  /** Clients hear that they may have missed events. */
  resync(): void {
    this.#send({ type: 'resync' });
  }

  observe(observer: (event: MachineEvent) => void): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  onEvent(listener: (event: RuntimeEvent) => void): () => void {
    this.#events.add(listener);
    return () => this.#events.delete(listener);
  }

  /** A record without a task: the first half of a create. */
  make(create: ContainerCreate): ContainerScript {
    const nth = this.#made.get(create.key.slot) ?? 0;
    this.#made.set(create.key.slot, nth + 1);
    const script = this.scriptOf(create, nth);
    const lender = lendingSlot(create.key.slot, create.spec);
    const status: ContainerStatus = {
      id: create.id,
      key: create.key,
      specHash: create.specHash,
      phase: 'unknown',
      resources: resourcesMark(create.spec.resources),
      ...(create.address === undefined ? {} : { address: create.address }),
      ...(lender === undefined ? {} : { lender }),
      createdAt: this.#clock.now(),
    };
    this.#held.set(create.id, { status, script, create, files: new Map() });
    this.#tell('made', status, 'call');
    return script;
  }

  /** Its task: the second half. */
  task(id: string): number {
    const held = this.#must(id);
    const pid = ++this.#pids;
    held.status = { ...held.status, phase: 'created', pid };
    this.#tell('created', held.status, 'call');
    return pid;
  }

  start(id: string): void {
    const held = this.#must(id);
    if (held.status.phase !== 'created') return;
    held.startedAt = this.#clock.monotonicMs();
    held.status = { ...held.status, phase: 'running' };
    this.#tell('started', held.status, 'call');
    const exit = held.script.exit;
    if (exit) this.#endIn(held, exit.afterMs, exit.code, 'script', exit.oom ?? false);
  }

  /** Nothing of it goes on, its end included. */
  pause(id: string): void {
    const held = this.#must(id);
    if (held.status.phase !== 'running') return;
    this.#clock.clearTimer(held.timer);
    held.pausedAt = this.#clock.monotonicMs();
    held.status = { ...held.status, phase: 'paused' };
    this.#tell('paused', held.status, 'call');
    if (!this.deaf) this.#send({ type: 'paused', id, paused: true });
  }

  resume(id: string): void {
    const held = this.#held.get(id);
    if (held?.status.phase !== 'paused') return;
    held.status = { ...held.status, phase: 'running' };
    const { end, pausedAt = 0 } = held;
    if (end) held.timer = this.#clock.setTimer(Math.max(0, end.at - pausedAt), end.run);
    this.#tell('resumed', held.status, 'call');
    if (!this.deaf) this.#send({ type: 'paused', id, paused: false });
  }

  update(id: string, mark: string): void {
    const held = this.#must(id);
    held.status = { ...held.status, resources: mark };
    this.#tell('updated', held.status, 'call');
  }

  signal(id: string, signal: string): void {
    this.resume(id);
    const held = this.#held.get(id);
    if (held?.status.phase !== 'running') return;
    if (signal === 'SIGKILL') return this.kill(id);
    this.#tell(ends(signal, held.create) ? 'signalled' : 'notified', held.status, 'call');
    const stop = held.script.stop ?? { afterMs: 10 };
    if (stop === 'ignores' || !ends(signal, held.create)) return;
    held.signalled = true;
    this.#endIn(held, stop.afterMs, stop.code ?? signalCode(signal), 'call', false);
  }

  /** SIGKILL to all processes. A task that has not started ends too. */
  kill(id: string, by: 'call' | 'fault' = 'call'): void {
    const held = this.#held.get(id);
    if (!held || !alive.has(held.status.phase)) return;
    this.#tell('killed', held.status, by);
    this.#end(held, 137, by, false);
  }

  /** Removes the record; a process that lives is killed first. */
  remove(id: string, by: 'call' | 'fault' = 'call'): void {
    this.kill(id, by);
    const held = this.#held.get(id);
    if (!held) return;
    this.#held.delete(id);
    this.#tell('removed', held.status, by);
  }

  /** The process ends by itself, as the fault says: out of memory, a crash, an exit. */
  crash(id: string, code: number, oom = false): void {
    const held = this.#held.get(id);
    if (held?.status.phase === 'running') this.#end(held, code, 'fault', oom);
  }

  #must(id: string): Held {
    const held = this.#held.get(id);
    if (!held) throw new Error(`no container ${id} on the scripted machine`);
    return held;
  }

  #endIn(held: Held, afterMs: number, code: number, by: MachineEvent['by'], oom: boolean): void {
    this.#clock.clearTimer(held.timer);
    const run = () => this.#end(held, code, by, oom);
    held.end = { at: this.#clock.monotonicMs() + afterMs, run };
    held.timer = this.#clock.setTimer(afterMs, run);
  }

  #end(held: Held, code: number, by: MachineEvent['by'], oom: boolean): void {
    if (!alive.has(held.status.phase)) return;
    this.#clock.clearTimer(held.timer);
    const exit: ContainerExit = { code, at: this.#clock.now(), oomKilled: oom };
    const { pid: _, ...rest } = held.status;
    held.status = { ...rest, phase: 'stopped', exit };
    this.#tell('exited', held.status, by);
    if (this.deaf) return;
    if (oom) this.#send({ type: 'oom', id: held.status.id });
    this.#send({ type: 'exited', id: held.status.id, exit });
  }

  #send(event: RuntimeEvent): void {
    for (const listener of [...this.#events]) listener(event);
  }

  #tell(what: MachineEvent['what'], status: ContainerStatus, by: MachineEvent['by']): void {
    for (const observer of [...this.#observers]) observer({ what, status, by });
  }
}
