/** How messages travel: order, bounds, incarnations, what is refused at the door, questions and answers. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Message } from '../../../protocols/effects.ts';
import { reason } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import { supervisor, worker } from '../../../supervisors/child-spec.ts';
import { rig, type Rig } from '../../kit/rig.ts';
import { workers } from '../../kit/workers.ts';

const pair = supervisor('root', 'one_for_one', [
  worker('a', 'worker'),
  worker('b', 'worker'),
  worker('c', 'worker'),
]);

async function settled(): Promise<Rig> {
  const world = rig(pair, { machines: workers });
  await world.clock.settle();
  return world;
}

function heard(world: Rig, path: '/a' | '/b' | '/c'): Message[] {
  return (world.kernel.directory.show(path)!.context as { heard: Message[] }).heard;
}

const send = (to: string, event: Message) => ({ do: 'send', to, event });

describe('delivery', () => {
  it('says when, from whom and nothing else', async () => {
    const world = await settled();
    await world.clock.advance(500);
    world.kernel.send('/a', {
      type: 'work.do',
      effects: [send('/b', { type: 'hello', n: 1 }), send('hive://n1/b#1.1', { type: 'hello', n: 2 })],
    });
    await world.clock.settle();
    const at = world.clock.now();
    expect(heard(world, '/b')).toEqual([
      { type: 'hello', n: 1, at, from: 'hive://n1/a#1.1' },
      { type: 'hello', n: 2, at, from: 'hive://n1/a#1.1' },
    ]);
  });

  it('keeps the order of every sender, and delivers at most once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom('/a', '/b', 'out'), fc.integer({ min: 1, max: 5 })), {
          maxLength: 40,
        }),
        async (plan) => {
          const world = await settled();
          let n = 0;
          const sent: Record<string, number[]> = { '/a': [], '/b': [], out: [] };
          for (const [sender, count] of plan) {
            const events = Array.from({ length: count }, () => ({ type: 'note', n: (n += 1), sender }));
            sent[sender]!.push(...events.map((event) => event.n));
            if (sender === 'out') for (const event of events) world.kernel.send('/c', event);
            else
              world.kernel.send(sender, {
                type: 'work.do',
                effects: events.map((event) => send('/c', event)),
              });
          }
          await world.clock.settle();
          for (const sender of Object.keys(sent)) {
            const got = heard(world, '/c').filter((event) => event['sender'] === sender);
            expect(got.map((event) => event['n'])).toEqual(sent[sender]);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it('refuses what only the kernel says', async () => {
    const world = await settled();
    for (const type of ['sys.shutdown', 'xstate.init', 'xstate.stop', 'child.exited', 'child.ready']) {
      world.kernel.send('/', { type, id: 'a', incarnation: 1, reason: { kind: 'error', message: 'forged' } });
      await expect(world.kernel.ask('/a', { type })).rejects.toMatchObject({
        reason: { code: 'HM-API-REQUEST' },
      });
    }
    await world.clock.advance(60_000);
    expect(world.living()).toEqual(['/#1', '/a#1', '/b#1', '/c#1']);
    expect(world.framesOf('message.dead').every(({ why }) => why === 'refused')).toBe(true);
    expect(world.kernel.directory.counters().deadLetters).toBe(10);
  });
});

describe('dead letters', () => {
  it('go to nobody, to other nodes and to old lives', async () => {
    const world = await settled();
    world.kernel.send('/a', { type: 'work.fail' });
    await world.clock.advance(1_000);
    const targets = [
      '/nobody',
      'hive://n1/a#1.1',
      'hive://n1/a#0.2',
      'hive://n2/a#1.2',
      'nonsense',
      'hive://n1/a#1.2',
    ];
    for (const to of targets) world.kernel.send(to, { type: 'hello' });
    await world.clock.settle();
    expect(world.kernel.deadLetters().map(({ to, why }) => [to, why])).toEqual([
      ['/nobody', 'no-actor'],
      ['hive://n1/a#1.1', 'old-incarnation'],
      ['hive://n1/a#0.2', 'old-incarnation'],
      ['hive://n2/a#1.2', 'no-actor'],
      ['nonsense', 'no-actor'],
    ]);
    expect(heard(world, '/a')).toHaveLength(1);
  });

  it('are what an actor leaves unread, and the newest are kept', async () => {
    const world = await settled();
    world.kernel.send('/a', { type: 'work.fail' });
    for (let n = 0; n < 500; n += 1) world.kernel.send('/a', { type: 'unread', n });
    await world.clock.settle();
    expect(world.kernel.directory.counters().deadLetters).toBe(500);
    expect(world.kernel.deadLetters()).toHaveLength(limits.deadLetters);
  });
});

describe('mailboxes', () => {
  it('hold their bound; every message is delivered or counted; signals pass', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 2_500 }),
        fc.integer({ min: 0, max: 2_500 }),
        async (first, second) => {
          const world = await settled();
          const burst = (count: number) => {
            for (let n = 0; n < count; n += 1) world.kernel.send('/a', { type: 'note', n });
          };
          burst(first);
          expect(world.kernel.directory.show('/a')!.mailbox).toBe(Math.min(first, limits.mailboxMessages));
          await world.clock.settle();
          burst(second);
          const lost =
            Math.max(0, first - limits.mailboxMessages) + Math.max(0, second - limits.mailboxMessages);
          const { overflowed, deadLetters } = world.kernel.directory.counters();
          expect([overflowed, deadLetters]).toEqual([lost, lost]);
          // The stop passes a full mailbox.
          world.kernel.send('/', { type: 'child.stop', id: 'a' });
          await world.clock.settle();
          expect(world.living()).not.toContain('/a#1');
          const processed = world.frames.filter(
            (frame) => frame.type === 'actor.transitioned' && frame.cause === 'note',
          ).length;
          const unread = world.framesOf('message.dead').filter(({ why }) => why === 'no-actor').length;
          expect(processed + unread + lost).toBe(first + second);
        },
      ),
      { numRuns: 12 },
    );
  });

  it('let signals go first', async () => {
    const world = await settled();
    world.kernel.send('/', { type: 'child.stop', id: 'a' });
    for (let n = 0; n < 900; n += 1) world.kernel.send('/a', { type: 'note' });
    await world.clock.settle();
    const heardNotes = world.framesOf('actor.transitioned').filter(({ cause }) => cause === 'note');
    expect(heardNotes.length).toBeLessThan(5);
    expect(world.kernel.directory.counters().deadLetters).toBe(900 - heardNotes.length);
  });

  it('tell of their overflow once a minute', async () => {
    const world = await settled();
    for (let minute = 0; minute < 3; minute += 1) {
      for (let n = 0; n < 2_000; n += 1) world.kernel.send('/a', { type: 'note', n });
      await world.clock.advance(60_000);
    }
    expect(world.kernel.directory.counters().overflowed).toBe(3_000);
    expect(world.events.map(({ type, subject }) => [type, subject])).toEqual(
      Array.from({ length: 3 }, () => ['mailbox.overflowed', '/a']),
    );
  });

  it('of one who is flooded delay nobody', async () => {
    const world = await settled();
    for (let n = 0; n < 900; n += 1) world.kernel.send('/a', { type: 'flood' });
    world.kernel.send('/b', { type: 'hello' });
    await world.clock.settle();
    const causes = world.framesOf('actor.transitioned').map(({ cause }) => cause);
    expect(causes.indexOf('hello') - causes.indexOf('flood')).toBeLessThanOrEqual(2);
  });
});

describe('ask', () => {
  const ask = (world: Rig, message: Message, timeoutMs?: number) => {
    const answer = world.kernel.ask('/a', message, timeoutMs);
    answer.catch(() => {});
    return answer;
  };
  const code = (name: string) => ({ reason: { code: name } });

  it('resolves with the reply', async () => {
    const world = await settled();
    const answer = ask(world, { type: 'work.ask', value: { n: 7 } });
    await world.clock.settle();
    expect(await answer).toEqual({ n: 7 });
    expect(world.clock.timers).toBe(0);
  });

  it('rejects with the actor’s own refusal', async () => {
    const world = await settled();
    const answer = ask(world, { type: 'note' });
    await world.clock.settle();
    const { replyTo } = heard(world, '/a')[0] as unknown as { replyTo: string };
    const error = reason('HM-STORE-DOWN');
    world.kernel.send('/b', { type: 'work.do', effects: [{ do: 'reply', to: replyTo, error }] });
    await world.clock.settle();
    await expect(answer).rejects.toMatchObject({ reason: error });
  });

  it('times out, and a late reply is a dead letter', async () => {
    const world = await settled();
    const answer = ask(world, { type: 'note' }, 3_000);
    await world.clock.advance(3_000);
    await expect(answer).rejects.toMatchObject(code('HM-ACTOR-TIMEOUT'));
    const { replyTo } = heard(world, '/a')[0] as unknown as { replyTo: string };
    world.kernel.send('/a', { type: 'work.do', effects: [{ do: 'reply', to: replyTo, value: 1 }] });
    await world.clock.settle();
    expect(world.framesOf('message.dead')).toMatchObject([{ to: replyTo, why: 'late' }]);
  });

  it('has a deadline of its own when none is given', async () => {
    const world = await settled();
    let over = false;
    ask(world, { type: 'note' }).catch(() => (over = true));
    await world.clock.advance(limits.askTimeoutMs - 1);
    expect(over).toBe(false);
    await world.clock.advance(1);
    expect(over).toBe(true);
  });

  it('rejects when the actor ends, lives nowhere, or is full', async () => {
    const world = await settled();
    const waiting = ask(world, { type: 'note' });
    await world.clock.settle();
    world.kernel.send('/a', { type: 'work.fail' });
    await world.clock.settle();
    await expect(waiting).rejects.toMatchObject(code('HM-ACTOR-STOPPED'));
    await expect(ask(world, { type: 'note' })).rejects.toMatchObject(code('HM-ACTOR-UNKNOWN'));
    await world.clock.advance(1_000);
    for (let n = 0; n < limits.mailboxMessages; n += 1) world.kernel.send('/a', { type: 'note' });
    await expect(ask(world, { type: 'note' })).rejects.toMatchObject(code('HM-ACTOR-OVERFLOW'));
    await world.clock.settle();
    expect(world.clock.timers).toBe(0);
  });
});
