/** Calls over the network in memory: what is asked, told, refused and counted when all is well, and at the doors. */
import { describe, expect, test } from 'vitest';
import { coded } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import { createCalls } from '../../../transport/calls/calls.ts';
import { callsRig, outcome } from '../../kit/cluster/calls-rig.ts';

const soon = { timeoutMs: 1_000 };

describe('a call', () => {
  test('is answered, and the answerer knows who asked', async () => {
    const { clock, node } = callsRig();
    const [a, b] = [node('a', { role: 'agent', boot: 7 }), node('b')];
    b.calls.on('test.ask', (from, body) => ({ from, body }));
    const asked = outcome(a.calls.call(b.peer, 'test.ask', { n: 1 }, soon));
    await clock.advance(100);
    expect(asked.value).toEqual({
      from: { id: a.peer.id, name: 'na', role: 'agent', boot: 7 },
      body: { n: 1 },
    });
    expect(a.events).toEqual([{ id: b.peer.id, what: 'made', boot: 1 }]);
    expect(b.events).toEqual([{ id: a.peer.id, what: 'made', boot: 7 }]);
  });

  test('passes on the refusal of the answerer as it is, and hides a defect', async () => {
    const { clock, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    b.calls.on('test.ask', (_, body) => {
      if (body === 1) throw coded('HM-STORE-LEASE', 'lease 9 is over', { lease: '9' });
      throw new Error('password=hunter2');
    });
    const refused = a.calls.call(b.peer, 'test.ask', 1, soon);
    const defect = outcome(a.calls.call(b.peer, 'test.ask', 2, soon));
    const told = refused.catch((thrown: unknown) => thrown);
    await clock.advance(100);
    expect(await told).toMatchObject({
      reason: { code: 'HM-STORE-LEASE', message: 'lease 9 is over', evidence: { lease: '9' } },
    });
    expect(defect.code).toBe('HM-INTERNAL');
    expect(defect.message).not.toContain('hunter2');
    expect(b.calls.conditions()[0]!.counts.defects).toBe(1);
  });

  test('ends at its deadline, the answerer hears of it, and a late answer is counted', async () => {
    const { clock, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    let given: AbortSignal | undefined;
    let answer: ((value: string) => void) | undefined;
    b.calls.on('test.ask', (_, __, signal) => {
      given = signal;
      return new Promise((resolve) => (answer = resolve));
    });
    const asked = outcome(a.calls.call(b.peer, 'test.ask', null, { timeoutMs: 500 }));
    await clock.advance(400);
    expect(asked.done).toBe(false);
    await clock.advance(200);
    expect(asked.code).toBe('HM-PEER-TIMEOUT');
    expect(given!.aborted).toBe(true);
    answer?.('too late');
    await clock.advance(100);
    expect(b.calls.conditions()[0]!.answering).toBe(0);
  });

  test('ends when its signal fires, also before there is a connection', async () => {
    const { clock, network, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    network.cut(a.place, b.place);
    const controller = new AbortController();
    const asked = outcome(a.calls.call(b.peer, 'test.ask', null, { ...soon, signal: controller.signal }));
    await clock.advance(10);
    controller.abort();
    await clock.advance(10);
    expect(asked.code).toBe('HM-PEER-TIMEOUT');
    b.calls.on('test.ask', () => expect.unreachable('nobody waits for it'));
    network.mendAll();
    await clock.advance(5_000);
  });

  test('to nobody fails soon, and again after growing pauses', async () => {
    const { clock, network, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    await b.calls.close();
    for (let round = 0; round < 5; round += 1) {
      const asked = outcome(a.calls.call(b.peer, 'test.ask', null, { timeoutMs: 60_000 }));
      await clock.advance(10_000);
      expect(asked.code).toBe('HM-PEER-UNREACHABLE');
    }
    const dialled = network.counts.dialled;
    for (let at = 0; at < 100; at += 1) {
      a.calls.tell(b.peer, 'test.tell', at);
      await clock.advance(100);
    }
    expect(network.counts.dialled - dialled).toBeLessThan(6);
    expect(a.calls.conditions()[0]).toMatchObject({ open: false, failure: { code: 'HM-PEER-UNREACHABLE' } });
  });

  test('to somebody else at that address is refused', async () => {
    const { clock, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    const wrong = { id: 'c'.repeat(32), address: b.peer.address };
    const asked = outcome(a.calls.call(wrong, 'test.ask', null, soon));
    await clock.advance(100);
    expect(asked.code).toBe('HM-PEER-IDENTITY');
  });

  test('to itself is refused', async () => {
    const { clock, node } = callsRig();
    const a = node('a');
    const asked = outcome(a.calls.call(a.peer, 'test.ask', null, soon));
    await clock.settle();
    expect(asked.code).toBe('HM-PEER-UNREACHABLE');
  });
});

describe('at the door', () => {
  test.each([
    ['a type of another plane', 'test.packet'],
    ['a type that is not in the catalogue', 'test.unheard'],
    ['a name of every object', 'constructor'],
  ])('%s cannot be sent or taken', async (_, type) => {
    const { node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    await expect(a.calls.call(b.peer, type, null, soon)).rejects.toThrow('catalogue');
    expect(() => a.calls.tell(b.peer, type, null)).toThrow('catalogue');
    expect(() => b.calls.on(type, () => {})).toThrow('catalogue');
  });

  test('a role that may not send a type is refused at its own end', async () => {
    const { node } = callsRig();
    const [a, b] = [node('a', { role: 'agent' }), node('b')];
    await expect(a.calls.call(b.peer, 'test.rule', null, soon)).rejects.toThrow('HM-PEER-REFUSED');
    expect(() => a.calls.tell(b.peer, 'test.order', null)).toThrow('HM-PEER-REFUSED');
  });

  test('a body that is too large or not plain is not sent', async () => {
    const { node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    await expect(a.calls.call(b.peer, 'test.rule', 'x'.repeat(1_001), soon)).rejects.toThrow(
      'HM-PEER-MESSAGE',
    );
    expect(() => a.calls.tell(b.peer, 'test.tell', () => {})).toThrow('HM-PEER-MESSAGE');
    expect(a.calls.conditions()[0]!.queuedFrames).toBe(0);
  });

  test('an answer that is too large is none', async () => {
    const { clock, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    b.calls.on('test.rule', () => 'more than ten bytes');
    const asked = outcome(a.calls.call(b.peer, 'test.rule', null, soon));
    await clock.advance(100);
    expect(asked.code).toBe('HM-PEER-MESSAGE');
  });

  test('what nobody takes is refused', async () => {
    const { clock, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    const asked = outcome(a.calls.call(b.peer, 'test.ask', null, soon));
    a.calls.tell(b.peer, 'test.order', null);
    await clock.advance(100);
    expect(asked.code).toBe('HM-PEER-REFUSED');
    expect(b.calls.conditions()[0]!.counts.refused).toBe(2);
  });
});

test('everything is counted by its type at both ends, however it ends', async () => {
  const { clock, network, node } = callsRig();
  const [a, b, c] = [node('a', { role: 'agent' }), node('b'), node('c')];
  b.calls.on('test.ask', (_, body) => {
    if (body === 'refuse') throw coded('HM-STORE-LEASE');
    return body === 'never' ? new Promise(() => {}) : body;
  });
  const ask = (body: unknown, signal?: AbortSignal, to = b.peer) =>
    outcome(a.calls.call(to, 'test.ask', body, { ...soon, ...(signal ? { signal } : {}) }));
  const gone = new AbortController();
  ask('twelve bytes');
  ask('refuse');
  ask('never');
  ask('never', gone.signal);
  a.calls.tell(b.peer, 'test.tell', 'word');
  await clock.advance(100);
  expect(a.calls.traffic()['test.ask']).toMatchObject({ sent: 4, answered: 1, refused: 1, timedOut: 0 });
  expect(a.calls.conditions()[0]).toMatchObject({ open: true, idle: false, asking: 2 });
  gone.abort();
  network.cut(a.place, c.place);
  ask('nobody', undefined, c.peer);
  await clock.advance(20_000);
  const none = { sent: 0, answered: 0, refused: 0, timedOut: 0, letGo: 0, failed: 0, received: 0 };
  expect(a.calls.traffic()).toEqual({
    'test.ask': {
      ...{ ...none, sent: 5, answered: 1, refused: 1, timedOut: 2, letGo: 1, given: 0, denied: 0 },
      ...{ bytesSent: 13 + 7 + 6 + 6 + 7, bytesReceived: 13 },
    },
    'test.tell': { ...none, sent: 1, given: 0, denied: 0, bytesSent: 5, bytesReceived: 0 },
  });
  expect(b.calls.traffic()).toEqual({
    'test.ask': {
      ...{ ...none, received: 4, given: 1, denied: 1 },
      ...{ bytesSent: 13, bytesReceived: 13 + 7 + 6 + 6 },
    },
    'test.tell': { ...none, received: 1, given: 0, denied: 0, bytesSent: 0, bytesReceived: 5 },
  });
});

test('types that no catalogue names are counted together: a peer cannot make up more', async () => {
  const { clock, network, node } = callsRig();
  const b = node('b');
  const identity = { id: 'c'.repeat(32), name: 'nc', role: 'server' } as const;
  const stranger = createCalls({
    self: { ...identity, boot: 1 },
    link: network.open(identity, { host: '10.0.0.99', port: 1 }),
    clock,
    random: seededRandom(9),
    types: Object.fromEntries(
      Array.from({ length: 50 }, (_, at) => [
        `made.up.${at}`,
        { plane: 'stream', from: ['server'], bytes: 100, answerBytes: 100 } as const,
      ]),
    ),
  });
  for (let at = 0; at < 50; at += 1) outcome(stranger.call(b.peer, `made.up.${at}`, null, soon));
  await clock.advance(500);
  expect(b.calls.traffic()).toEqual({ other: expect.objectContaining({ received: 50, denied: 50 }) });
});

describe('versions', () => {
  test('the highest that both speak is spoken', async () => {
    const { clock, node } = callsRig();
    const [a, b] = [node('a', { versions: [1, 3] }), node('b', { versions: [2, 5] })];
    b.calls.on('test.ask', () => 'understood');
    const asked = outcome(a.calls.call(b.peer, 'test.ask', null, soon));
    await clock.advance(100);
    expect(asked.value).toBe('understood');
  });

  test('without one in common both are told', async () => {
    const { clock, node } = callsRig();
    const [a, b] = [node('a', { versions: [1, 1] }), node('b', { versions: [2, 3] })];
    const asked = outcome(a.calls.call(b.peer, 'test.ask', null, soon));
    await clock.advance(100);
    expect(asked.code).toBe('HM-PEER-VERSION');
    expect(asked.message).toContain('2 to 3');
    expect(a.events).toEqual([]);
    expect(b.events).toEqual([]);
  });
});

describe('a slow peer', () => {
  test('fills its queue and is told; memory is bounded', async () => {
    const { clock, network, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    a.calls.tell(b.peer, 'test.tell', 'first');
    await clock.advance(100);
    network.cut(a.place, b.place);
    const body = 'x'.repeat(10_000);
    let taken = 0;
    while (a.calls.tell(b.peer, 'test.tell', body) === 'taken') taken += 1;
    const { queuedBytes, counts } = a.calls.conditions()[0]!;
    expect(queuedBytes).toBeLessThan(limits.peerQueueBytes + 2_000_000);
    expect(counts.full).toBe(1);
    const refused = outcome(a.calls.call(b.peer, 'test.ask', body, soon));
    await clock.settle();
    expect(refused.code).toBe('HM-PEER-BUSY');
    network.mendAll();
    await clock.advance(5_000);
    expect(b.told.length).toBe(taken + 1);
  });

  test('fills it with little words as well', () => {
    const { network, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    network.cut(a.place, b.place);
    let taken = 0;
    while (a.calls.tell(b.peer, 'test.tell', 1) === 'taken') taken += 1;
    expect(taken).toBe(limits.peerQueueFrames);
  });

  test('one that does not hear in time is waited for', async () => {
    const { clock, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    const waiting: (() => void)[] = [];
    b.calls.on('test.order', () => new Promise<void>((resolve) => waiting.push(resolve)));
    for (let at = 0; at < 500; at += 1) a.calls.tell(b.peer, 'test.order', at);
    await clock.advance(10 * limits.peerSilenceMs);
    expect(waiting.length).toBe(limits.peerHearing);
    expect(a.events.map(({ what }) => what)).toEqual(['made']);
    for (let heard = 0; heard < 500; heard += 1) {
      waiting[heard]!();
      await clock.advance(5);
    }
    expect(waiting.length).toBe(500);
  });

  test('who asks more than is answered is told to come later', async () => {
    const { clock, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    b.calls.on('test.ask', () => new Promise(() => {}));
    const asked = Array.from({ length: limits.peerQuestions + 5 }, () =>
      outcome(a.calls.call(b.peer, 'test.ask', null, { timeoutMs: Infinity })),
    );
    await clock.advance(1_000);
    expect(asked.filter(({ code }) => code === 'HM-PEER-BUSY').length).toBe(5);
    expect(b.calls.conditions()[0]!.answering).toBe(limits.peerAnswering);
  });
});
