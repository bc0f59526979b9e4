/**
 * Calls over a bad network, whatever it does: nothing twice, nothing out of order, nothing from before a loss after it,
 * every question ends exactly once, queues stay within their bounds, and after it all it works.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { coded } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import { callsRig, outcome, type CallsNode, type CallsRig } from '../../kit/cluster/calls-rig.ts';

const digits = ['a', 'b', 'c'] as const;
const who = fc.constantFrom(0, 1, 2);
const way = fc.tuple(who, who).filter(([from, to]) => from !== to);

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('tell' as const), way, times: fc.integer({ min: 1, max: 40 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      way,
      how: fc.constantFrom('now', 'later', 'never', 'refuse', 'fail'),
      timeoutMs: fc.constantFrom(10, 500, 20_000),
      abortMs: fc.constantFrom(undefined, 0, 50, 5_000),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(0, 1, 5, 100, 3_000, 20_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('flood' as const), way }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('cut' as const, 'mend' as const, 'reset' as const), way }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('clog' as const), way, ms: fc.constantFrom(50, 20_000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('narrow' as const),
      bytesPerMs: fc.constantFrom(0.5, 100, Infinity),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('strike' as const), reset: fc.constantFrom(0, 0.02, 0.3) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('vanish' as const), node: who, silently: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('keep' as const), way }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** What a word says of the connection it was sent for. */
interface Sent {
  readonly from: number;
  /** Of that life of the sender. */
  readonly life: number;
  readonly n: number;
  readonly made: number;
  readonly open: boolean;
}

class World {
  readonly rig: CallsRig;
  readonly nodes: CallsNode[] = [];
  readonly lives = [0, 0, 0];
  readonly asked: { ends: number; readonly type: string }[] = [];
  readonly faults: string[] = [];
  readonly #latest = new Map<string, number>();
  #sent = 0;

  constructor(seed: number) {
    this.rig = callsRig(seed);
    for (const at of [0, 1, 2]) this.start(at);
  }

  start(at: number): void {
    const life = (this.lives[at]! += 1);
    const node = this.rig.node(digits[at]!, { boot: life });
    this.nodes[at] = node;
    node.calls.on('test.order', (_, body) => this.#heard(at, life, body as Sent));
    node.calls.on('test.ask', (_, body) => {
      const how = (body as { how: string }).how;
      if (how === 'refuse') throw coded('HM-STORE-LEASE');
      if (how === 'fail') throw new Error('a defect');
      if (how === 'never') return new Promise(() => {});
      if (how === 'later') return new Promise((resolve) => this.rig.clock.setTimer(300, () => resolve(how)));
      return how;
    });
  }

  tell([from, to]: readonly [number, number], padding = 0): 'taken' | 'full' | 'closed' {
    const sender = this.nodes[from]!;
    const events = sender.events.filter(({ id }) => id === this.nodes[to]!.peer.id);
    const made = events.filter(({ what }) => what === 'made').length;
    const open = events.at(-1)?.what === 'made';
    const sent: Sent = { from, life: this.lives[from]!, n: (this.#sent += 1), made, open };
    return sender.calls.tell(this.nodes[to]!.peer, 'test.order', { ...sent, padding: 'x'.repeat(padding) });
  }

  ask(
    [from, to]: readonly [number, number],
    how: string,
    timeoutMs: number,
    abortMs: number | undefined,
  ): void {
    const question = { ends: 0, type: how };
    this.asked.push(question);
    const controller = new AbortController();
    if (abortMs !== undefined) this.rig.clock.setTimer(abortMs, () => controller.abort());
    const options = { timeoutMs, signal: controller.signal };
    const ended = (): void => void (question.ends += 1);
    this.nodes[from]!.calls.call(this.nodes[to]!.peer, 'test.ask', { how }, options).then(ended, ended);
  }

  #heard(at: number, life: number, { from, life: theirs, n, made, open }: Sent): void {
    const lane = `${from} ${theirs} > ${at} ${life}`;
    if (n <= (this.#latest.get(lane) ?? 0)) this.faults.push(`${lane}: ${n} after ${this.#latest.get(lane)}`);
    this.#latest.set(lane, n);
    if (theirs !== this.lives[from]) return;
    const now = this.nodes[from]!.events.filter(
      ({ id, what }) => id === this.nodes[at]!.peer.id && what === 'made',
    ).length;
    if (now > made + (open ? 0 : 1)) this.faults.push(`${lane}: ${n} of connection ${made} came over ${now}`);
  }

  look(): void {
    for (const { calls } of this.nodes)
      for (const { queuedBytes, queuedFrames, asking, answering } of calls.conditions()) {
        if (queuedBytes > limits.peerQueueBytes + 3_000_000) this.faults.push(`${queuedBytes} bytes wait`);
        if (queuedFrames > limits.peerQueueFrames + 2 * limits.peerQuestions)
          this.faults.push(`${queuedFrames} wait`);
        if (asking > limits.peerQuestions || answering > limits.peerAnswering)
          this.faults.push('too many questions');
      }
    for (const { calls } of this.nodes) {
      const asking = calls.conditions().reduce((sum, condition) => sum + condition.asking, 0);
      const counts = calls.traffic()['test.ask'];
      const ended = counts
        ? counts.answered + counts.refused + counts.timedOut + counts.letGo + counts.failed
        : 0;
      if ((counts?.sent ?? 0) - ended !== asking)
        this.faults.push(`${asking} are asked, and counted ${JSON.stringify(counts)}`);
      if (calls.conditions().some(({ open, idle, asking: own }) => idle && (!open || own > 0)))
        this.faults.push('one that is not open, or in use, is idle');
    }
    for (const { events } of this.nodes)
      for (const { peer } of this.nodes) {
        const whats = events.filter(({ id }) => id === peer.id).map(({ what }) => what);
        if (whats.some((what, at) => what !== (at % 2 === 0 ? 'made' : 'lost')))
          this.faults.push(whats.join(' '));
      }
  }
}

async function perform(world: World, taken: Step): Promise<void> {
  const { rig, nodes } = world;
  const places =
    'way' in taken ? ([nodes[taken.way[0]]!.place, nodes[taken.way[1]]!.place] as const) : undefined;
  switch (taken.do) {
    case 'tell':
      for (let times = 0; times < taken.times; times += 1) world.tell(taken.way);
      return;
    case 'flood':
      for (let times = 0; times < 200; times += 1) if (world.tell(taken.way, 900) !== 'taken') return;
      return;
    case 'ask':
      return world.ask(taken.way, taken.how, taken.timeoutMs, taken.abortMs);
    case 'wait':
      return await rig.clock.advance(taken.ms);
    case 'cut':
    case 'mend':
    case 'reset':
      return rig.network[taken.do](...places!);
    case 'clog':
      return rig.network.clog(...places!, taken.ms);
    case 'narrow':
    case 'strike':
      rig.network.faults = {
        ...rig.network.faults,
        ...('reset' in taken ? { reset: taken.reset } : { bytesPerMs: taken.bytesPerMs }),
      };
      return;
    case 'vanish':
      rig.network.vanish(nodes[taken.node]!.place, taken.silently);
      // Its process is gone: whatever it does after is heard by nobody.
      await nodes[taken.node]!.calls.close();
      return world.start(taken.node);
    case 'keep':
      nodes[taken.way[0]]!.calls.keep(nodes[taken.way[1]]!.peer);
  }
}

async function heal(world: World): Promise<void> {
  const { rig } = world;
  rig.network.mendAll();
  rig.network.faults = { ...rig.network.faults, reset: 0, bytesPerMs: Infinity };
  // What a narrow way has taken is under way for as long as it was narrow.
  for (const a of world.nodes) for (const b of world.nodes) if (a !== b) rig.network.reset(a.place, b.place);
  await rig.clock.advance(60_000);
  world.look();
  for (const [from, to] of [
    [0, 1],
    [1, 2],
    [2, 0],
  ] as const) {
    const asked = outcome(
      world.nodes[from]!.calls.call(world.nodes[to]!.peer, 'test.ask', { how: 'now' }, { timeoutMs: 20_000 }),
    );
    await rig.clock.advance(20_000);
    if (asked.value !== 'now') world.faults.push(`after all was mended: ${asked.code} ${asked.message}`);
  }
  for (const { calls } of world.nodes)
    for (const { asking, queuedFrames } of calls.conditions())
      if (asking + queuedFrames > 0)
        world.faults.push(`${asking} questions and ${queuedFrames} frames are left`);
}

test('a bad network loses, and does nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 1e6 }),
      fc.array(step, { maxLength: 60 }),
      async (seed, steps) => {
        const world = new World(seed);
        for (const taken of steps) {
          await perform(world, taken);
          world.look();
        }
        await heal(world);
        expect(world.faults).toEqual([]);
        expect(world.asked.filter(({ ends }) => ends !== 1)).toEqual([]);
      },
    ),
    { numRuns: 100 },
  );
});
