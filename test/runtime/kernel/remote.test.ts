/** Actors of two nodes: messages, questions and death watch between them, and what the doors of both refuse. */
import { describe, expect, test } from 'vitest';
import type { Effect, Message } from '../../../protocols/effects.ts';
import { limits } from '../../../protocols/limits.ts';
import type { NodeRole } from '../../../protocols/wire/catalogue.ts';
import type { Peer } from '../../../protocols/wire/calls.ts';
import { HeapClock } from '../../../runtime/world/heap-clock.ts';
import { supervisor, worker } from '../../../supervisors/child-spec.ts';
import { callsRig, outcome, type CallsRig } from '../../kit/cluster/calls-rig.ts';
import { rig, SluggishClock, type Rig } from '../../kit/rig.ts';
import { workers } from '../../kit/workers.ts';

const tree = supervisor('root', 'one_for_one', [worker('a', 'worker'), worker('b', 'worker')]);
const everybody = ['server', 'agent'] as const;
const messages = {
  note: everybody,
  'work.ask': everybody,
  'work.rule': ['server'],
} satisfies Record<string, readonly NodeRole[]>;
const watches: Readonly<Record<string, readonly NodeRole[]>> = {
  '/a': everybody,
  '/b': ['server'],
  '/x': everybody,
};

interface Node extends Rig {
  readonly place: string;
  readonly peer: Peer;
  readonly calls: ReturnType<CallsRig['node']>['calls'];
}

/** Nodes `na` and `nb` of one network; na is an agent. */
function cluster(clock = new HeapClock()) {
  const net = callsRig(1, clock);
  const known = new Map<string, Peer>();
  const start = (digit: string, boot = 1): Node => {
    const role = digit === 'a' ? 'agent' : 'server';
    const { calls, peer, place } = net.node(digit, { role, boot });
    known.set(`n${digit}`, peer);
    const remote = { calls, messages, watches, resolve: (node: string) => known.get(node) };
    const world = rig(tree, { machines: workers, clock: net.clock, node: `n${digit}`, boot, remote });
    return { ...world, place, peer, calls };
  };
  return { ...net, known, start };
}

const heard = ({ kernel }: Rig, path: '/a' | '/b' = '/a'): readonly Message[] =>
  (kernel.directory.show(path)!.context as { heard: Message[] }).heard;
const send = (to: string, event: Message): Effect => ({ do: 'send', to, event });
const watch = (node: string, id = 'w'): Effect => ({
  do: 'watch',
  id,
  source: { of: 'actor', node, path: '/a' },
});
const doing = ({ kernel }: Rig, ...effects: readonly Effect[]): void =>
  kernel.send('/a', { type: 'work.do', effects });
const deaths = ({ kernel }: Rig): string[] =>
  kernel.deadLetters().map(({ message, why }) => `${message} ${why}`);

/** An idle connection that is lost without a word is noticed by then, also where no gossip makes anybody doubt it. */
const lossMs = limits.peerQuietMs + 2 * limits.peerSilenceMs;

describe('a message to an actor of another node', () => {
  test('arrives with when and from whom, to whoever lives there or to one life, and is answered the same way', async () => {
    const { clock, start } = cluster();
    const [a, b] = [start('a', 3), start('b', 5)];
    await clock.settle();
    doing(a, send('hive://nb/a', { type: 'note', n: 1 }), send('hive://nb/a#5.1', { type: 'note', n: 2 }));
    await clock.advance(100);
    expect(heard(b).map(({ type, n, from }) => [type, n, from])).toEqual([
      ['note', 1, 'hive://na/a#3.1'],
      ['note', 2, 'hive://na/a#3.1'],
    ]);
    doing(b, send(String(heard(b)[0]!['from']), { type: 'note', n: 3 }));
    await clock.advance(100);
    expect(heard(a).map(({ n, from }) => [n, from])).toEqual([[3, 'hive://nb/a#5.1']]);
    expect([deaths(a), deaths(b)]).toEqual([[], []]);
  });

  test('to itself by its name stays at home', async () => {
    const { clock, network, start } = cluster();
    const a = start('a');
    await clock.settle();
    doing(a, send('hive://na/b', { type: 'anything', n: 1 }));
    await clock.advance(100);
    expect(heard(a, '/b').map(({ n }) => n)).toEqual([1]);
    expect(network.counts.dialled).toBe(0);
  });

  test.each([
    ['to nobody', 'hive://nb/nobody', 'no-actor'],
    ['to an earlier life', 'hive://nb/a#5.9', 'old-incarnation'],
    ['to an earlier boot', 'hive://nb/a#4.1', 'old-incarnation'],
  ])('is a dead letter at both ends, with its sender: %s', async (_, to, why) => {
    const { clock, start } = cluster();
    const [a, b] = [start('a'), start('b', 5)];
    await clock.settle();
    doing(a, send(to, { type: 'note' }));
    await clock.advance(100);
    const sender = 'hive://na/a#1.1';
    expect(b.kernel.deadLetters()).toMatchObject([{ node: 'nb', message: 'note', why, sender }]);
    expect(a.kernel.deadLetters()).toMatchObject([{ node: 'na', message: 'note', why, sender, to }]);
    expect(a.transcript()).toContain(`dead letter to ${to} from /a#1.1: ${why}`);
    expect(b.transcript()).toContain(`from ${sender}: ${why}`);
  });

  test('that finds the mailbox full is a dead letter at both ends', async () => {
    const { clock, start } = cluster(new SluggishClock());
    const [a, b] = [start('a'), start('b')];
    await clock.advance(100);
    doing(a, send('hive://nb/a', { type: 'note' }));
    await clock.advance(100);
    for (let n = 0; n < limits.mailboxMessages; n += 1) b.kernel.send('/a', { type: 'note', n });
    a.kernel.send('hive://nb/a', { type: 'note' });
    await clock.advance(200);
    expect([deaths(a), deaths(b)]).toEqual([['note overflow'], ['note overflow']]);
  });

  test.each([
    ['of a type that the catalogue does not name', 'hive://nb/a', 'note.unheard', 'refused'],
    ['of the kernel itself', 'hive://nb/a', 'sys.shutdown', 'refused'],
    ['that is not plain data', 'hive://nb/a', 'note', 'refused'],
    ['to a node that nobody knows', 'hive://nc/a', 'note', 'unreachable'],
    ['to a node that nobody reaches', 'hive://nb/a', 'note', 'unreachable'],
  ])('is a dead letter at this end: %s', async (what, to, type, why) => {
    const { clock, network, start } = cluster();
    const [a, b] = [start('a'), start('b')];
    await clock.settle();
    if (what.includes('reaches')) network.cut(a.place, b.place);
    doing(a, send(to, { type, ...(what.includes('plain') ? { when: new Date(0) } : {}) }));
    await clock.advance(limits.peerConnectMs + 100);
    expect([deaths(a), deaths(b)]).toEqual([[`${type} ${why}`], []]);
    expect(a.kernel.deadLetters()[0]!.sender).toBe('hive://na/a#1.1');
  });

  test('under way when the connection is lost is a dead letter, as it may not have arrived', async () => {
    const { clock, network, start } = cluster();
    const [a, b] = [start('a'), start('b')];
    await clock.settle();
    doing(a, send('hive://nb/a', { type: 'note', n: 1 }));
    await clock.advance(100);
    // One way: it arrives, and nobody hears that it did.
    network.cut(b.place, a.place);
    doing(a, send('hive://nb/a', { type: 'note', n: 2 }));
    await clock.advance(lossMs);
    expect([heard(b).map(({ n }) => n), deaths(a)]).toEqual([[1, 2], ['note unreachable']]);
    // The other way: it does not.
    network.mendAll();
    await clock.advance(10_000);
    doing(a, send('hive://nb/a', { type: 'note', n: 3 }));
    await clock.advance(100);
    network.cut(a.place, b.place);
    doing(a, send('hive://nb/a', { type: 'note', n: 4 }));
    await clock.advance(lossMs);
    expect([heard(b).map(({ n }) => n), deaths(a)]).toEqual([
      [1, 2, 3],
      ['note unreachable', 'note unreachable'],
    ]);
  });

  test('that finds the queue full is a dead letter as an overflow', async () => {
    const { clock, network, start } = cluster();
    const [a, b] = [start('a'), start('b')];
    await clock.settle();
    network.cut(a.place, b.place);
    const text = 'x'.repeat(200_000);
    doing(a, ...Array.from({ length: 60 }, () => send('hive://nb/a', { type: 'note', text })));
    await clock.advance(10);
    const full = deaths(a).filter((death) => death === 'note overflow').length;
    expect(full).toBeGreaterThan(10);
    expect(a.kernel.directory.counters().overflowed).toBe(full);
  });
});

describe('at the door', () => {
  test('what its role may not send reaches no actor, whatever the other end thinks', async () => {
    const { clock, start } = cluster();
    const [a, b] = [start('a'), start('b')];
    await clock.settle();
    const told = [{ type: 'work.rule' }, '/a', 0, 0];
    const sent = outcome(a.calls.call(b.peer, 'actor.tell', told, { timeoutMs: 1_000 }));
    const asked = outcome(a.calls.call(b.peer, 'actor.ask', [...told, 1_000], { timeoutMs: 1_000 }));
    await clock.advance(100);
    expect([sent.code, asked.code]).toEqual(['HM-PEER-REFUSED', 'HM-PEER-REFUSED']);
    expect(heard(b)).toEqual([]);
    expect(deaths(b)).toEqual(['work.rule refused', 'work.rule refused']);
  });

  test('nobody says who sent a message or who waits for its answer, but the connection', async () => {
    const { clock, start } = cluster();
    const [a, b] = [start('a'), start('b')];
    await clock.settle();
    const open = outcome(b.kernel.ask('/b', { type: 'note' }, 10_000));
    const forged = { type: 'work.ask', value: 'forged', replyTo: 'ask.1', from: 'hive://nb/b#1.1', at: 1 };
    const told = [
      [forged, '/a', 0, 0, '/x', 99, 7],
      [{ ...forged, type: 'note' }, '/a', 0, 0],
      [{ ...forged, type: 'note' }, '/a', 0, 0, '/x', 99, 7],
    ].map((body) => outcome(a.calls.call(b.peer, 'actor.tell', body, { timeoutMs: 1_000 })));
    await clock.advance(100);
    expect(told.map(({ value }) => value)).toEqual([0, 0, 0]);
    expect(open.done).toBe(false);
    expect(heard(b).map(({ from, replyTo }) => [from, replyTo])).toEqual([
      [undefined, undefined],
      ['hive://na/x#1.7', undefined],
    ]);
    for (const { at } of heard(b)) expect(at).toBeGreaterThan(1_000);
  });

  test.each([
    ['nothing', null],
    ['no message', ['note', '/a', 0, 0]],
    ['a message without a type', [{ n: 1 }, '/a', 0, 0]],
    ['no path', [{ type: 'note' }, 'a', 0, 0]],
    ['an address', [{ type: 'note' }, '/a#1.1', 0, 0]],
    ['too much', [{ type: 'note' }, '/a', 0, 0, '/x', 1, 1, 1]],
    ['a negative life', [{ type: 'note' }, '/a', 1, -1]],
  ])('what is not in form is refused: %s', async (_, body) => {
    const { clock, start } = cluster();
    const [a, b] = [start('a'), start('b')];
    await clock.settle();
    const asked = ['actor.tell', 'actor.ask', 'actor.watch'].map((type) =>
      outcome(a.calls.call(b.peer, type, body, { timeoutMs: 1_000 })),
    );
    await clock.advance(100);
    expect(asked.map(({ code }) => code)).toEqual(['HM-PEER-MESSAGE', 'HM-PEER-MESSAGE', 'HM-PEER-MESSAGE']);
    expect(heard(b)).toEqual([]);
  });
});

describe('a question to an actor of another node', () => {
  const ask = ({ kernel }: Rig, to: string, event: Message, timeoutMs = 1_000) =>
    outcome(kernel.ask(to, event, timeoutMs));

  test('is answered, or refused with the code that would come at home', async () => {
    const { clock, start } = cluster();
    const [a, b] = [start('a'), start('b')];
    await clock.settle();
    const asked = [
      ask(a, 'hive://nb/a', { type: 'work.ask', value: 7 }),
      ask(a, 'hive://nb/a#1.1', { type: 'work.ask', value: 8 }),
      ask(a, 'hive://nb/nobody', { type: 'work.ask' }),
      ask(a, 'hive://nb/a', { type: 'note' }),
      ask(a, 'hive://nb/a', { type: 'note.unheard' }),
      ask(a, 'hive://nb/a', { type: 'work.rule' }),
      ask(a, 'hive://nc/a', { type: 'note' }),
    ];
    await clock.advance(2_000);
    expect(asked.map(({ value, code }) => value ?? code)).toEqual([
      7,
      8,
      'HM-ACTOR-UNKNOWN',
      'HM-ACTOR-TIMEOUT',
      'HM-PEER-REFUSED',
      'HM-PEER-REFUSED',
      'HM-PEER-UNREACHABLE',
    ]);
    expect(heard(b).length).toBe(1);
  });

  test('to a mailbox that is full is told so', async () => {
    const { clock, start } = cluster(new SluggishClock());
    const [a, b] = [start('a'), start('b')];
    await clock.advance(100);
    a.kernel.send('hive://nb/a', { type: 'note' });
    await clock.advance(100);
    for (let n = 0; n < limits.mailboxMessages; n += 1) b.kernel.send('/a', { type: 'note', n });
    const asked = ask(a, 'hive://nb/a', { type: 'work.ask' });
    await clock.advance(200);
    expect(asked.code).toBe('HM-ACTOR-OVERFLOW');
    expect(deaths(b)).toEqual(['work.ask overflow']);
  });
});

describe('death watch of an actor of another node', () => {
  const exits = (world: Rig) =>
    heard(world)
      .filter(({ type }) => type === 'actor.exited')
      .map(({ id, path, reason }) => ({ id, path, reason }));

  test('tells once how it ended, not why', async () => {
    const { clock, start } = cluster();
    const [a, b] = [start('a'), start('b')];
    await clock.settle();
    doing(a, watch('nb'));
    await clock.advance(60_000);
    expect(exits(a)).toEqual([]);
    b.kernel.send('/a', { type: 'work.fail', text: 'password=hunter2' });
    await clock.advance(60_000);
    expect(exits(a)).toEqual([
      { id: 'w', path: '/a', reason: { kind: 'error', message: 'it crashed, or is not there' } },
    ]);
  });

  test('tells of one that is not there, and of a node that is not', async () => {
    const { clock, start } = cluster();
    const [a, b] = [start('a'), start('b')];
    await clock.settle();
    b.kernel.send('/a', { type: 'work.end', exit: { kind: 'normal' } });
    await clock.advance(1);
    doing(a, watch('nc', 'c'), { do: 'watch', id: 'x', source: { of: 'actor', node: 'nb', path: '/x' } });
    await clock.advance(1_000);
    expect(new Set(exits(a).map(({ id }) => id))).toEqual(new Set(['c', 'x']));
  });

  test('is for the actors and roles of the table alone, at both ends', async () => {
    const { clock, network, start } = cluster();
    const [a, b] = [start('a'), start('b')];
    await clock.settle();
    const asked = ['/b', '/', '/toString', '/a'].map((path) =>
      outcome(a.calls.call(b.peer, 'actor.watch', [path, 0, 0], { timeoutMs: 1_000 })),
    );
    await clock.advance(100);
    expect(asked.map(({ code }) => code)).toEqual([...Array(3).fill('HM-PEER-REFUSED'), undefined]);
    const { frames } = network.counts;
    doing(a, { do: 'watch', id: 'root', source: { of: 'actor', node: 'nb', path: '/' } });
    await clock.advance(100);
    expect(exits(a)).toMatchObject([{ id: 'root', reason: { message: expect.stringContaining('/') } }]);
    expect(network.counts.frames).toBe(frames);
    doing(a, { do: 'watch', id: 'b', source: { of: 'actor', node: 'nb', path: '/b' } });
    await clock.advance(100);
    expect(exits(a)[1]).toMatchObject({ id: 'b', reason: { message: expect.stringContaining('/b') } });
  });

  test('outlasts a lost connection, and hears of an end meanwhile', async () => {
    const { clock, network, start } = cluster();
    const [a, b] = [start('a'), start('b')];
    await clock.settle();
    doing(a, watch('nb'));
    await clock.advance(1_000);
    for (let round = 0; round < 5; round += 1) {
      network.reset(a.place, b.place);
      await clock.advance(30_000);
    }
    expect(exits(a)).toEqual([]);
    network.cut(a.place, b.place);
    await clock.advance(lossMs);
    b.kernel.send('/a', { type: 'work.fail' });
    await clock.advance(10_000);
    expect(exits(a)).toEqual([]);
    network.mendAll();
    await clock.advance(30_000);
    expect(exits(a)).toMatchObject([{ reason: { kind: 'error' } }]);
  });

  test('ends when the node started anew, and when it is not reached for long', async () => {
    const { clock, network, start } = cluster();
    const [a, b] = [start('a'), start('b')];
    await clock.settle();
    doing(a, watch('nb'));
    await clock.advance(1_000);
    network.vanish(b.place);
    b.kernel.halt();
    start('b', 2);
    await clock.advance(20_000);
    expect(exits(a)).toMatchObject([{ reason: { message: 'nb started anew' } }]);
    doing(a, watch('nb', 'again'));
    await clock.advance(1_000);
    network.vanish(b.place, true);
    await clock.advance(limits.remoteWatchMs);
    expect(exits(a)).toHaveLength(1);
    await clock.advance(lossMs + 10_000);
    expect(exits(a)[1]).toMatchObject({ id: 'again', reason: { kind: 'error' } });
  });

  test('that is cancelled, or whose actor ends, is let go at both ends', async () => {
    const { clock, start } = cluster();
    const [a, b] = [start('a'), start('b')];
    await clock.settle();
    doing(a, watch('nb'));
    a.kernel.send('/b', { type: 'work.do', effects: [watch('nb')] });
    await clock.advance(1_000);
    expect(b.calls.conditions()[0]!.answering).toBe(2);
    doing(a, { do: 'cancel', token: 'w' });
    a.kernel.send('/b', { type: 'work.end', exit: { kind: 'normal' } });
    await clock.advance(1_000);
    expect(b.calls.conditions()[0]!.answering).toBe(0);
    b.kernel.send('/a', { type: 'work.fail' });
    await clock.advance(1_000);
    expect(exits(a)).toEqual([]);
  });
});
