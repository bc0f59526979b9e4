/**
 * Messages between actors of two nodes over a bad network (S3): each at most once, those of one sender in their order, and
 * none vanishes: what was not heard is a dead letter at its sender's node.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Frame } from '../../../protocols/inspection.ts';
import type { NodeRole } from '../../../protocols/wire/catalogue.ts';
import type { Peer } from '../../../protocols/wire/calls.ts';
import { supervisor, worker } from '../../../supervisors/child-spec.ts';
import { calmStreams } from '../../../transport/memory/streams.ts';
import { callsRig } from '../../kit/cluster/calls-rig.ts';
import { rig, type Rig } from '../../kit/rig.ts';
import { workers } from '../../kit/workers.ts';

const mostNotes = 2_000;
/** Each is of a type of its own, so that a dead letter says which one it was. */
const messages: Readonly<Record<string, readonly NodeRole[]>> = Object.fromEntries(
  Array.from({ length: mostNotes }, (_, n) => [`note.${n + 1}`, ['server']]),
);
const senders = ['/a', '/b'] as const;

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      by: fc.constantFrom(...senders),
      /** To one life of the actor; it may be over. */
      life: fc.boolean(),
      times: fc.integer({ min: 1, max: 20 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 1, 50, 3_000, 20_000) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('cut' as const, 'cut back' as const, 'mend' as const, 'reset' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clog' as const), ms: fc.constantFrom(50, 20_000) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('strike' as const), reset: fc.constantFrom(0, 0.1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('crash' as const, 'restart' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

class World {
  readonly #net: ReturnType<typeof callsRig>;
  readonly #places: Record<string, string> = {};
  readonly #peers = new Map<string, Peer>();
  readonly #a: Rig;
  #b: Rig;
  #boot = 1;
  /** Of all lives of nb. */
  readonly #frames: Frame[] = [];
  readonly sent = new Map<string, string>();

  constructor(seed: number) {
    this.#net = callsRig(seed);
    this.#a = this.#start('a', 1);
    this.#b = this.#start('b', 1);
  }

  #start(digit: string, boot: number): Rig {
    const { calls, peer, place } = this.#net.node(digit, { boot });
    this.#places[digit] = place;
    this.#peers.set(`n${digit}`, peer);
    const remote = { calls, messages, resolve: (node: string) => this.#peers.get(node) };
    const tree = supervisor('root', 'one_for_one', [worker('a', 'worker'), worker('b', 'worker')]);
    return rig(tree, { machines: workers, clock: this.#net.clock, node: `n${digit}`, boot, remote });
  }

  async play(steps: readonly Step[]): Promise<void> {
    await this.#net.clock.settle();
    for (const one of steps) {
      await this.#do(one);
      await this.#net.clock.settle();
    }
    this.#net.network.mendAll();
    this.#net.network.faults = calmStreams;
    await this.#net.clock.advance(120_000);
    this.#frames.push(...this.#b.frames);
  }

  async #do(one: Step): Promise<void> {
    const { network, clock } = this.#net;
    const [a, b] = [this.#places['a']!, this.#places['b']!];
    switch (one.do) {
      case 'send':
        return this.#send(one.by, one.life, one.times);
      case 'wait':
        return clock.advance(one.ms);
      case 'cut':
        return network.cut(a, b);
      case 'cut back':
        return network.cut(b, a);
      case 'mend':
        return network.mendAll();
      case 'reset':
        return network.reset(a, b);
      case 'clog':
        return network.clog(a, b, one.ms);
      case 'strike':
        network.faults = { ...network.faults, reset: one.reset };
        return;
      case 'crash':
        return this.#b.kernel.send('/a', { type: 'work.fail' });
      case 'restart':
        network.vanish(b);
        this.#b.kernel.halt();
        this.#frames.push(...this.#b.frames);
        this.#b = this.#start('b', (this.#boot += 1));
    }
  }

  #send(by: (typeof senders)[number], life: boolean, times: number): void {
    const to = life ? `hive://nb/a#${this.#boot}.1` : 'hive://nb/a';
    const effects = Array.from({ length: times }, () => {
      const type = `note.${this.sent.size + 1}`;
      this.sent.set(type, `hive://na${by}#1.1`);
      return { do: 'send' as const, to, event: { type } };
    });
    this.#a.kernel.send(by, { type: 'work.do', effects });
  }

  /** What actors of nb took, with who they say sent it. */
  heard(): readonly { readonly note: string; readonly sender: string | undefined }[] {
    return this.#frames.flatMap((frame) =>
      frame.type === 'actor.transitioned' && frame.cause.startsWith('note.')
        ? [{ note: frame.cause, sender: frame.sender }]
        : [],
    );
  }

  dead() {
    return this.#a.framesOf('message.dead');
  }
}

test('each message is heard at most once, in the order of its sender, or is a dead letter of its sender', async () => {
  const seen: Record<string, number> = {};
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), fc.nat(1_000), async (steps, seed) => {
      const world = new World(seed);
      await world.play(steps);
      const [heard, dead] = [world.heard(), world.dead()];
      const notes = heard.map(({ note }) => note);
      expect(new Set(notes).size, 'nothing twice').toBe(notes.length);
      for (const sender of senders) {
        const own = heard.filter((one) => one.sender === `hive://na${sender}#1.1`);
        const order = own.map(({ note }) => Number(note.slice('note.'.length)));
        expect(order, 'in order').toEqual(order.toSorted((a, b) => a - b));
      }
      for (const { note, sender } of heard) expect(sender).toBe(world.sent.get(note));
      const letters = new Map(dead.map((letter) => [letter.message, letter]));
      expect(letters.size, 'no letter twice').toBe(dead.length);
      for (const [note, sender] of world.sent) {
        const letter = letters.get(note);
        if (letter) expect(letter.sender).toBe(sender);
        else expect(notes, 'not lost in silence').toContain(note);
        // Only of a lost connection it is not known.
        if (letter && letter.why !== 'unreachable') expect(notes).not.toContain(note);
        const fate = `${letter?.why ?? 'in a mailbox'}${notes.includes(note) ? ', heard' : ''}`;
        seen[fate] = (seen[fate] ?? 0) + 1;
      }
    }),
    { numRuns: 100, seed: 7 },
  );
  // All that may happen to one has happened.
  expect(Object.keys(seen).sort()).toEqual([
    'in a mailbox, heard',
    'no-actor',
    'old-incarnation',
    'unreachable',
    'unreachable, heard',
  ]);
});
