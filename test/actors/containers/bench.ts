/**
 * The real machines of slots, containers, checks and permits in a tree of their own, over ports that a test scripts:
 * a journal, a runtime and files in memory that can refuse, hang and be looked at. The container manager, the network
 * manager and the runtime's watcher are stand-ins that only remember what they hear.
 */
import { checkMachine } from '../../../actors/health/check.machine.ts';
import { containerMachine } from '../../../actors/containers/container.machine.ts';
import { permitsMachine } from '../../../actors/containers/permits.machine.ts';
import { slotMachine } from '../../../actors/containers/slot.machine.ts';
import type { ResourceSettings } from '../../../protocols/apps/service-model.ts';
import type { Assignment, ServiceSpec } from '../../../protocols/apps/model.ts';
import type { SlotStatus } from '../../../protocols/apps/status.ts';
import { resourcesMark } from '../../../protocols/containers/oci/resources.ts';
import { containerId } from '../../../protocols/containers/ids.ts';
import type {
  ContainerExit,
  ContainerStatus,
  PullProgress,
  RunKey,
  RuntimePhase,
} from '../../../protocols/containers/model.ts';
import { assignmentEntry, endingEntry } from '../../../protocols/containers/slot/value.ts';
import type { Message } from '../../../protocols/effects.ts';
import { coded, type ErrorCode } from '../../../protocols/errors.ts';
import type { ActorPath } from '../../../protocols/wire/address.ts';
import { containerPath, paths, slotPath } from '../../../protocols/wire/paths.ts';
import { HeapClock } from '../../../runtime/world/heap-clock.ts';
import { supervisor, worker } from '../../../supervisors/child-spec.ts';
import { rig, type Rig } from '../../kit/rig.ts';
import { workerMachine } from '../../kit/workers.ts';

export const slot = 'shop/web.1';

export function assignment(placement: number, more: Partial<ServiceSpec> = {}): Assignment {
  const spec: ServiceSpec = {
    ...{ name: 'web', image: 'web:1', environment: {}, ports: [], mounts: [], dependsOn: [] },
    ...{ restart: { condition: 'always' }, replicas: 1, networkMode: 'none', stopGraceMs: 4_000 },
    ...more,
  };
  const place = { slot, app: 'shop', service: 'web', index: 1, node: 'n1', placement };
  return { ...place, revision: 1, specHash: `hash-${placement}`, restartMark: 0, spec };
}

export const keyOf = (placement: number, run = 1, attempt = 1): RunKey => ({ slot, placement, run, attempt });

type Answer = () => Promise<unknown>;

export class Bench {
  readonly clock = new HeapClock();
  readonly journal = new Map<string, unknown>();
  readonly containers = new Map<string, ContainerStatus>();
  /** What was asked of runtime and network, in order: `create 1.1.1`. */
  readonly calls: string[] = [];
  /** By `port.op`: what it answers instead. */
  readonly refuse = new Map<string, ErrorCode>();
  readonly #held = new Map<string, { done: Promise<void>; release: () => void }>();
  /** Under way. */
  pulls: readonly PullProgress[] = [];
  boots = 0;
  /** Exit code of the health check's command. */
  healthy = true;
  /** Commands that fail when they are run in a container. */
  readonly sick = new Set<string>();
  /** Whether a process heeds SIGTERM. */
  heeds = true;
  world!: Rig;

  /** A daemon starts over what is there, with a slot or none. */
  async start(withSlot = true): Promise<this> {
    this.boots += 1;
    const root = supervisor('root', 'one_for_one', [
      supervisor('workload', 'one_for_one', [
        worker('network', 'stand-in'),
        worker('permits', 'permits'),
        supervisor('checks', 'dynamic'),
        supervisor('containers', 'dynamic'),
        supervisor('slots', 'dynamic'),
        worker('manager', 'stand-in'),
        worker('runtime', 'stand-in'),
      ]),
      supervisor('edge', 'one_for_one', [worker('registry', 'stand-in')]),
    ]);
    this.world = rig(root, {
      clock: this.clock,
      boot: this.boots,
      ports: this.#ports(),
      machines: {
        ...{ 'stand-in': workerMachine, permits: permitsMachine, check: checkMachine },
        ...{ container: containerMachine, slot: slotMachine },
      },
    });
    await this.clock.settle();
    if (withSlot) await this.startSlot();
    return this;
  }

  /** As the container manager does it. */
  async startSlot(): Promise<void> {
    const spec = worker(slot, 'slot', { slot }, { restart: 'transient' });
    await this.send(paths.slots, { type: 'child.start', spec });
  }

  async assign(next: Assignment): Promise<void> {
    this.journal.set(assignmentEntry(slot), next);
    this.journal.delete(endingEntry(slot));
    await this.send(slotPath(slot), { type: 'slot.assigned', assignment: next });
  }

  async terminate(): Promise<void> {
    this.journal.set(endingEntry(slot), true);
    await this.send(slotPath(slot), { type: 'slot.terminate' });
  }

  /** As after kill -9. */
  async reboot(): Promise<void> {
    this.world.kernel.halt();
    for (const held of this.#held.values()) held.release();
    this.#held.clear();
    await this.clock.settle();
    this.calls.length = 0;
    await this.start();
  }

  async send(to: string, event: Message): Promise<void> {
    this.world.kernel.send(to, event);
    await this.clock.settle();
  }

  /** The process of a container ends. */
  async exit(key: RunKey, code: number): Promise<void> {
    const exit = this.end(key, code);
    await this.send(containerPath(key), { type: 'runtime.exited', exit });
  }

  /** … and nobody is there to hear it. */
  end(key: RunKey, code: number): ContainerExit {
    const exit = { code, at: this.clock.now(), oomKilled: false };
    const status = this.containers.get(containerId(key))!;
    this.containers.set(status.id, { ...status, phase: 'stopped', exit });
    return exit;
  }

  put(key: RunKey, phase: RuntimePhase): void {
    const id = containerId(key);
    const before = this.containers.get(id);
    this.containers.set(id, { ...before, id, key, specHash: '', phase, createdAt: this.clock.now() });
  }

  /** Somebody pauses a container, or lets it go on; with nobody there to hear it unless `heard`. */
  async pause(key: RunKey, paused: boolean, heard = true): Promise<void> {
    this.put(key, paused ? 'paused' : 'running');
    if (heard) await this.send(containerPath(key), { type: 'runtime.paused', paused });
  }

  /** Calls of this operation wait until they are let go. */
  hold(operation: string): void {
    let release = () => {};
    const done = new Promise<void>((resolve) => (release = resolve));
    this.#held.set(operation, { done, release });
  }

  /** Those that wait now are never answered; later ones are. */
  forsake(operation: string): void {
    this.#held.delete(operation);
  }

  async letGo(operation: string): Promise<void> {
    this.#held.get(operation)?.release();
    this.#held.delete(operation);
    await this.clock.settle();
  }

  /** `1.1.1 running`, in the runtime. */
  there(): string[] {
    return [...this.containers.values()].map(({ key, phase }) => `${shortly(key)} ${phase}`);
  }

  /** What the slot told the manager, one word a change. */
  story(): string[] {
    return this.heard(paths.manager).map((event) => {
      if (event.type === 'slot.gone') return 'gone';
      const { phase, readiness, reason } = event['status'] as SlotStatus;
      const text = phase === 'running' ? readiness : phase;
      return reason ? `${text} ${reason.code}` : text;
    });
  }

  /** The types of the events that were told, in order. */
  news(): string[] {
    return this.world.events.map((event) => event.type);
  }

  last(): SlotStatus {
    return this.heard(paths.manager).findLast((event) => event.type === 'slot.changed')![
      'status'
    ] as SlotStatus;
  }

  phase(path: ActorPath = slotPath(slot)): unknown {
    return this.world.kernel.directory.show(path)?.phase;
  }

  heard(path: ActorPath): readonly Message[] {
    const shown = this.world.kernel.directory.show(path)?.context as { heard: readonly Message[] };
    return shown.heard;
  }

  #ports() {
    const asked = (operation: string, answer: Answer): Promise<unknown> => {
      const code = this.refuse.get(operation);
      const held = this.#held.get(operation);
      const go = async () => {
        if (code) throw coded(code);
        return answer();
      };
      return held ? held.done.then(go) : go();
    };
    const nothing = async () => ({});
    return {
      journal: {
        // Read when it is asked, however late it is answered.
        read: ({ prefix }: { prefix: string }) => {
          const entries = Object.fromEntries([...this.journal].filter(([key]) => key.startsWith(prefix)));
          return asked('journal.read', async () => ({ entries }));
        },
        append: ({ entries }: { entries: Record<string, unknown> }) =>
          asked('journal.append', async () => {
            for (const [key, entry] of Object.entries(entries))
              if (entry === undefined) this.journal.delete(key);
              else this.journal.set(key, entry);
            return {};
          }),
      },
      images: {
        ensure: () => asked('images.ensure', nothing),
        pulls: async () => ({ pulls: this.pulls }),
      },
      network: {
        taken: () => asked('network.taken', async () => ({ taken: [] })),
        detach: () => asked('network.detach', nothing),
      },
      volumes: {
        prepareRun: () =>
          asked('volumes.prepareRun', async () => ({ stdoutPath: '/o', stderrPath: '/e', mounts: [] })),
        pruneRuns: () => asked('volumes.pruneRuns', nothing),
      },
      containers: this.#runtime(asked),
    };
  }

  #runtime(asked: (operation: string, answer: Answer) => Promise<unknown>) {
    const on =
      (op: string, act: (id: string, key: RunKey) => unknown) => (args: { id: string; key?: RunKey }) =>
        asked(`containers.${op}`, async () => {
          const key = args.key ?? this.containers.get(args.id)?.key;
          this.calls.push(`${op} ${key ? shortly(key) : 'nothing'}`);
          return act(args.id, key!) ?? {};
        });
    const ended = async (id: string, key: RunKey, code: number) => {
      if (this.containers.get(id)?.phase === 'running') await this.exit(key, code);
    };
    return {
      inspect: on('inspect', (id) => ({ container: this.containers.get(id) })),
      create: on('create', (_, key) => {
        this.put(key, 'created');
        return { pid: 1 };
      }),
      update: async (args: { id: string; resources: ResourceSettings }) =>
        asked('containers.update', async () => {
          const status = this.containers.get(args.id)!;
          this.calls.push(`update ${shortly(status.key)} ${JSON.stringify(args.resources)}`);
          this.containers.set(args.id, { ...status, resources: resourcesMark(args.resources) });
          return {};
        }),
      start: on('start', (_, key) => this.put(key, 'running')),
      signal: on('signal', (id, key) => {
        if (this.heeds) this.clock.defer(() => void ended(id, key, 0));
      }),
      kill: on('kill', (id, key) => this.clock.defer(() => void ended(id, key, 137))),
      remove: on('remove', (id) => void this.containers.delete(id)),
      run: ({ id, args }: { id: string; args: readonly string[] }) =>
        asked('containers.run', async () => {
          const key = this.containers.get(id)?.key;
          if (args[0]?.startsWith('hook')) this.calls.push(`${args[0]} ${key ? shortly(key) : 'nothing'}`);
          const code = this.healthy && !this.sick.has(args[0] ?? '') ? 0 : 1;
          return { code, output: 'checked' };
        }),
    };
  }
}

const shortly = ({ placement, run, attempt }: RunKey): string => `${placement}.${run}.${attempt}`;

/** A slot of placement 1 that runs. */
export async function running(more: Partial<ServiceSpec> = {}): Promise<Bench> {
  const bench = new Bench();
  bench.journal.set(assignmentEntry(slot), assignment(1, more));
  await bench.start();
  return bench;
}
