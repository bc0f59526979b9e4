/**
 * What the kernel costs, as ratios measured in one run: messages through the router beside a bare `actor.send` on
 * the same machines, and the heap of an idle actor. Run with `--expose-gc`. No test asserts these figures.
 */
import { assign, createActor, setup, type AnyStateMachine } from 'xstate';
import { perform } from '../../actors/decide.ts';
import type { Ports } from '../../protocols/ports.ts';
import type { ActorPath } from '../../protocols/wire/address.ts';
import { createKernel, type Kernel } from '../../runtime/kernel/kernel.ts';
import { realClock } from '../../runtime/world/real-clock.ts';
import { seededRandom } from '../../runtime/world/seeded-random.ts';
import { supervisor, worker } from '../../supervisors/child-spec.ts';
import { supervisorMachine } from '../../supervisors/supervisor.machine.ts';

const trivial = setup({ types: {} as { tags: 'ready' } }).createMachine({
  id: 'trivial',
  initial: 'on',
  states: { on: { tags: 'ready', on: { ping: {} } } },
});

const counting = setup({
  types: {} as { context: { count: number }; tags: 'ready' },
  actions: { perform },
}).createMachine({
  id: 'counting',
  context: { count: 0 },
  initial: 'on',
  states: {
    on: {
      tags: 'ready',
      on: {
        ping: {
          actions: [
            assign({ count: ({ context }) => context.count + 1 }),
            { type: 'perform', params: { effects: [] } },
          ],
        },
      },
    },
  },
});

const machines: Readonly<Record<string, AnyStateMachine>> = {
  supervisor: supervisorMachine,
  trivial,
  counting,
};

const actors = 50;
/** 250 messages wait at once: a burst, within one slice. */
const perActor = 5;
const rounds = 800;

async function grown(machine: string, count: number): Promise<{ kernel: Kernel; paths: ActorPath[] }> {
  const kernel = createKernel({
    node: 'bench',
    boot: 1,
    clock: realClock,
    random: seededRandom(1),
    ports: {} as Ports,
    machines,
    emit: () => {},
  });
  const ids = Array.from({ length: count }, (_, n) => `a${n}`);
  kernel.start(
    supervisor(
      'root',
      'dynamic',
      ids.map((id) => worker(id, machine)),
    ),
  );
  while (kernel.directory.counters().actors <= count) await breath();
  for (let turn = 0; turn < 4 + count / 50; turn += 1) await breath();
  return { kernel, paths: ids.map((id): ActorPath => `/${id}`) };
}

/** CPU time of this process, ns: others on the machine do not count. */
function spentNs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1e3;
}

function breath(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** ns a message through mailboxes, turns and records. */
async function routed({ kernel, paths }: { kernel: Kernel; paths: readonly ActorPath[] }): Promise<number> {
  const { delivered } = kernel.directory.counters();
  const started = spentNs();
  let expected = delivered;
  for (let round = 0; round < rounds; round += 1) {
    for (let n = 0; n < perActor; n += 1) for (const path of paths) kernel.send(path, { type: 'ping' });
    expected += perActor * paths.length;
    while (kernel.directory.counters().delivered < expected) await breath();
  }
  return (spentNs() - started) / (expected - delivered);
}

/** ns a message straight into XState. */
function bare(machine: AnyStateMachine): number {
  const provided = machine.provide({ actions: { perform: () => {} } });
  const started = Array.from({ length: actors }, () => createActor(provided).start());
  const from = spentNs();
  for (let round = 0; round < rounds; round += 1) {
    for (let n = 0; n < perActor; n += 1) for (const actor of started) actor.send({ type: 'ping' });
  }
  const ns = (spentNs() - from) / (rounds * perActor * actors);
  for (const actor of started) actor.stop();
  return ns;
}

interface Pair {
  readonly bareNs: number;
  readonly routedNs: number;
}

/** Bare and routed, alternating, so that a machine that drifts hurts both; the run with the median ratio. */
async function compare(name: string): Promise<Pair> {
  const world = await grown(name, actors);
  const pairs: Pair[] = [];
  for (let run = 0; run < 8; run += 1) {
    pairs.push({ bareNs: bare(machines[name]!), routedNs: await routed(world) });
  }
  await world.kernel.stop();
  // The first run warms up.
  return pairs.slice(1).sort((a, b) => a.bareNs / a.routedNs - b.bareNs / b.routedNs)[3]!;
}

/** Bytes of heap an idle actor holds, with its supervisor's entry for it. */
async function heapBytesPerActor(count: number): Promise<number> {
  const collect = (globalThis as { gc?: () => void }).gc;
  if (collect === undefined) throw new Error('run with --expose-gc');
  await (await grown('counting', 10)).kernel.stop();
  collect();
  const before = process.memoryUsage().heapUsed;
  const { kernel } = await grown('counting', count);
  collect();
  const bytes = (process.memoryUsage().heapUsed - before) / count;
  await kernel.stop();
  return bytes;
}

export interface KernelFigures {
  /** Messages a second through the router ÷ messages a second by bare `send`, the same number to both machines. At least 0.85. */
  readonly routerRatio: number;
  /** Of a machine that does nothing at all: every nanosecond of the router shows. */
  readonly trivialRatio: number;
  /** Of one that assigns and performs, as ours do. */
  readonly countingRatio: number;
  /** At most 8,192. */
  readonly heapBytesPerActor: number;
}

export async function measureKernel(): Promise<KernelFigures> {
  const heap = await heapBytesPerActor(10_000);
  const trivially = await compare('trivial');
  const countingly = await compare('counting');
  return {
    routerRatio: (trivially.bareNs + countingly.bareNs) / (trivially.routedNs + countingly.routedNs),
    trivialRatio: trivially.bareNs / trivially.routedNs,
    countingRatio: countingly.bareNs / countingly.routedNs,
    heapBytesPerActor: Math.round(heap),
  };
}
