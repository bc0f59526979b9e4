/**
 * Several observed actors, each in a kernel of its own, over the membership cores of a swarm and calls through a network
 * in memory: one virtual clock, one seed. What a node's slots would report is said by the test.
 */
import type { SlotStatus } from '../../../protocols/apps/status.ts';
import type { Member, MemberAddress } from '../../../protocols/membership/model.ts';
import type { Membership } from '../../../protocols/membership/views/port.ts';
import type { HeardDigest, MemberChange, MemberView } from '../../../protocols/membership/views/view.ts';
import type { RecordDigest } from '../../../protocols/observed/digest.ts';
import type { MachineFacts } from '../../../protocols/observed/model.ts';
import type { RecordSeals } from '../../../protocols/observed/ports.ts';
import type { ObservedReport } from '../../../protocols/observed/report.ts';
import type { Ports, Stop } from '../../../protocols/ports.ts';
import type { Calls } from '../../../protocols/wire/calls.ts';
import { paths } from '../../../protocols/wire/paths.ts';
import { createKernel, type Kernel } from '../../../runtime/kernel/kernel.ts';
import { machines } from '../../../runtime/machines.ts';
import type { NodeHandle } from '../../../runtime/node-handle.ts';
import { everyonesEndpoints, type ShownEndpoint } from '../../../runtime/observed/endpoint-view.ts';
import { openRecordDoor } from '../../../runtime/observed/record-door.ts';
import { recordPorts } from '../../../runtime/observed/record-ports.ts';
import { simulatedNotary } from '../../../runtime/simulation/membership/notary.ts';
import { idOf, Swarm } from '../../../runtime/simulation/membership/swarm.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import { supervisor, worker } from '../../../supervisors/child-spec.ts';
import { createCalls } from '../../../transport/calls/calls.ts';
import { MemoryStreams } from '../../../transport/memory/streams.ts';
import { createRecordSeals } from '../../../transport/secure/record-seals.ts';

export interface Home {
  readonly index: number;
  boot: number;
  kernel: Kernel;
  membership: Membership;
  calls: Calls;
  slots: Map<string, SlotStatus>;
  machine: MachineFacts;
  readonly events: string[];
  /** Its own actor says nothing any more; its connections and its membership stay, for a test to speak by. */
  depose: () => void;
  digests: Set<(heard: HeardDigest) => void>;
  changes: Set<(change: MemberChange) => void>;
  seen: Map<string, Member>;
  close: () => void;
}

export const nameOf = (index: number): string => `n${index}`;

export function statusOf(index: number, slot: string, more: Partial<SlotStatus> = {}): SlotStatus {
  const [app = '', rest = ''] = slot.split('/');
  const [service = '', number = '1'] = rest.split('.');
  return {
    slot,
    app,
    service,
    index: Number(number),
    node: nameOf(index),
    placement: 1,
    run: 1,
    revision: 1,
    specHash: '0123456789abcdef0123456789abcdef',
    phase: 'running',
    readiness: 'ready',
    settled: true,
    image: 'registry.example.org/shop/web:1.4.2',
    ports: [{ hostAddress: '0.0.0.0', hostPort: 8_080, containerPort: 80, protocol: 'tcp' }],
    containerId: `${app}-${service}-${number}-1.1.1`,
    address: `10.42.${index}.${number}`,
    restarts: 0,
    startedAt: 1_767_225_600_000,
    since: 1_767_225_600_000,
    ...more,
  };
}

const machine: MachineFacts = {
  hostname: 'host',
  os: 'Debian GNU/Linux 12',
  kernel: '6.1.0',
  architecture: 'x64',
  cpus: 4,
  load: 0.4,
  memoryBytes: 8e9,
  memoryFreeBytes: 6e9,
  diskBytes: 1e11,
  diskFreeBytes: 7e10,
  labels: { zone: 'a' },
};

export interface TownOptions {
  readonly seed?: number;
  readonly nodes: number;
  readonly slots?: number;
  readonly seals?: (index: number) => RecordSeals;
}

export class ObservedTown {
  readonly swarm: Swarm;
  readonly streams: MemoryStreams;
  readonly homes: Home[] = [];
  readonly #options: TownOptions;

  constructor(options: TownOptions) {
    this.#options = options;
    const { seed = 1, nodes } = options;
    this.swarm = new Swarm({ seed, members: nodes });
    this.streams = new MemoryStreams(this.swarm.clock, seededRandom(seed));
    this.swarm.onSighting = ({ by, member }) => this.#sighted(by, member);
    this.swarm.onDigest = (by, { digest, from }) => {
      const { id, address } = from;
      for (const notify of this.homes[by]?.digests ?? []) notify({ digest, from: id, address });
    };
    for (let index = 0; index < nodes; index++) this.homes.push(this.#home(index, 1));
  }

  /** ms since 1970. */
  get now(): number {
    return this.swarm.clock.now();
  }

  async run(ms: number): Promise<void> {
    await this.swarm.clock.advance(ms);
  }

  /** How long it took, `undefined` when longer than `withinMs`. */
  async runUntil(
    holds: () => Promise<boolean> | boolean,
    withinMs: number,
    stepMs = 250,
  ): Promise<number | undefined> {
    const start = this.now;
    while (!(await holds())) {
      if (this.now - start >= withinMs) return undefined;
      await this.run(stepMs);
    }
    return this.now - start;
  }

  async report(index: number): Promise<ObservedReport> {
    await this.swarm.clock.settle();
    const asked = this.homes[index]!.kernel.ask<ObservedReport>(paths.observed, { type: 'records.report' });
    await this.swarm.clock.settle();
    return asked;
  }

  /** What a node shows, by node: version and containers. */
  async view(index: number): Promise<Record<string, string>> {
    const { nodes } = await this.report(index);
    return Object.fromEntries(
      nodes.flatMap(({ name, records }) =>
        records
          ? [
              [
                name,
                records.containers
                  .map(({ slot, run, phase }) => `${slot}#${run} ${phase}`)
                  .sort()
                  .join(', '),
              ],
            ]
          : [],
      ),
    );
  }

  /** What its API would answer of endpoints: each with its node, whether it is ready and used, and what its node is. */
  async endpoints(index: number): Promise<readonly ShownEndpoint[]> {
    const { kernel, membership, slots } = this.homes[index]!;
    const handle = {
      name: nameOf(index),
      cluster: { membership },
      ask: kernel.ask.bind(kernel),
    } as unknown as NodeHandle;
    await this.swarm.clock.settle();
    const asked = everyonesEndpoints(handle, [...slots.values()]);
    await this.swarm.clock.settle();
    return asked;
  }

  /** All that are up show the same, and of every one of them what its slots say. */
  async agreed(among: readonly number[] = this.swarm.up()): Promise<boolean> {
    for (const by of among) {
      const view = await this.view(by);
      for (const of of among) if (view[nameOf(of)] !== this.truth(of)) return false;
    }
    return true;
  }

  truth(index: number): string {
    const slots = [...this.homes[index]!.slots.values()];
    return slots
      .map(({ slot, run, phase }) => `${slot}#${run} ${phase}`)
      .sort()
      .join(', ');
  }

  change(index: number, slot: string, more: Partial<SlotStatus> | undefined): void {
    const home = this.homes[index]!;
    if (more) home.slots.set(slot, statusOf(index, slot, more));
    else home.slots.delete(slot);
    home.kernel.send(paths.observed, {
      type: 'observed.changed',
      slots: more ? [home.slots.get(slot)] : [],
      gone: more ? [] : [slot],
      complete: true,
    });
  }

  kill(index: number): void {
    this.homes[index]!.close();
    this.swarm.kill(index);
  }

  start(index: number): void {
    const { boot, slots } = this.homes[index]!;
    this.swarm.start(index);
    this.homes[index] = this.#home(index, boot + 1, slots);
  }

  partition(some: readonly number[], others: readonly number[]): void {
    this.swarm.partition(some, others);
    for (const a of some) {
      for (const b of others) {
        this.streams.cut(this.swarm.place(a), this.swarm.place(b));
        this.streams.cut(this.swarm.place(b), this.swarm.place(a));
      }
    }
  }

  heal(): void {
    this.swarm.network.mendAll();
    this.streams.mendAll();
  }

  address(index: number): MemberAddress {
    const [host = '', port = '0'] = this.swarm.place(index).split(' ');
    return { host, port: Number(port) };
  }

  #home(index: number, boot: number, before?: Map<string, SlotStatus>): Home {
    const { seed = 1, slots: count = 0, seals } = this.#options;
    const [id, name, clock] = [idOf(index), nameOf(index), this.swarm.clock];
    const random = seededRandom(seed * 1_000 + index * 10 + boot);
    const calls = createCalls({
      self: { id, name, role: 'server', boot },
      link: this.streams.open({ id, name, role: 'server' }, this.address(index)),
      clock,
      random,
    });
    const home: Home = {
      index,
      boot,
      calls,
      kernel: undefined as unknown as Kernel,
      membership: undefined as unknown as Membership,
      slots: before ?? new Map(),
      machine,
      events: [],
      digests: new Set(),
      changes: new Set(),
      seen: new Map(),
      depose: () => {},
      close: () => {},
    };
    const membership = this.#membership(home);
    home.membership = membership;
    const ports = {
      ...recordPorts({
        calls,
        membership,
        seals: seals?.(index) ?? createRecordSeals(simulatedNotary(id, name), () => clock.now()),
        machine: () => Promise.resolve(home.machine),
      }),
      containers: {
        info: () =>
          Promise.resolve({
            name: 'containerd',
            version: '1.7.0',
            snapshotter: 'overlayfs',
            cgroups: 2,
            platform: 'linux/amd64',
          }),
      },
    } as unknown as Ports;
    home.kernel = createKernel({
      node: name,
      boot,
      clock,
      random,
      ports,
      machines,
      emit: ({ type, message }) => home.events.push(`${type}: ${message}`),
    });
    const words = { role: 'server', version: '0.1.0', startedAt: clock.now() } as const;
    const observed = worker('observed', 'observed', { id, words });
    home.kernel.start(supervisor('node', 'one_for_one', [supervisor('edge', 'one_for_one', [observed])]));
    const shut = openRecordDoor(home.kernel, { calls, membership });
    home.depose = () => {
      shut();
      home.kernel.halt();
    };
    home.close = () => {
      home.depose();
      void calls.close();
    };
    if (!before)
      for (let at = 1; at <= count; at++) {
        const slot = `shop${index}/web.${at}`;
        home.slots.set(slot, statusOf(index, slot));
      }
    // As a container manager that has heard of all of its slots.
    clock.setTimer(50, () =>
      home.kernel.send(paths.observed, {
        type: 'observed.changed',
        slots: [...home.slots.values()],
        gone: [],
        whole: true,
        complete: true,
      }),
    );
    return home;
  }

  #membership(home: Home): Membership {
    const { index } = home;
    const listen = <Heard>(to: Set<(heard: Heard) => void>, notify: (heard: Heard) => void): Stop => {
      to.add(notify);
      return () => void to.delete(notify);
    };
    const members = (): MemberView[] =>
      (this.swarm.core(index)?.members() ?? []).flatMap((member) => {
        const view = this.#view(member);
        return view ? [view] : [];
      });
    return {
      members,
      look: () => Promise.resolve(members()),
      onChange: (notify: (change: MemberChange) => void) => listen(home.changes, notify),
      onDigest: (notify: (heard: HeardDigest) => void) => listen(home.digests, notify),
      // No journal is lost here.
      onBoot: () => () => {},
      tellDigest: (digest: RecordDigest) => this.swarm.tell(index, { kind: 'tell-digest', digest }),
    } as unknown as Membership;
  }

  #view({ id, incarnation, status, profile, since }: Member): MemberView | undefined {
    if (!profile) return undefined;
    const { name, address, zone, condition } = profile;
    return {
      id,
      name,
      address,
      zone,
      self: false,
      status,
      incarnation,
      condition,
      since: this.now - this.swarm.now + since,
      suspectedBy: [],
      planes: { datagram: {}, stream: {} },
    };
  }

  #sighted(by: number, member: Member): void {
    const home = this.homes[by];
    const view = this.#view(member);
    if (!home || !view) return;
    const before = home.seen.get(member.id);
    home.seen.set(member.id, member);
    const what = ((): MemberChange['what'] => {
      if (!before) return 'joined';
      if (before.incarnation.boot < member.incarnation.boot) return 'restarted';
      if (before.status === member.status) return 'described';
      return ({ alive: 'recovered', suspected: 'suspected', dead: 'died', left: 'left' } as const)[
        member.status
      ];
    })();
    const change = { what, member: view, ...(before ? { before: before.status } : {}) };
    for (const notify of home.changes) notify(change);
  }
}
