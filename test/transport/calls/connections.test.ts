/** How connections come, stay and go: on demand, one between two, kept alive, let go when nobody needs them. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../../protocols/limits.ts';
import { callsRig, outcome, type CallsNode } from '../../kit/cluster/calls-rig.ts';

const whats = ({ events }: CallsNode): string[] => events.map(({ what }) => what);

describe('a connection', () => {
  test('comes when there is something to say, and its heartbeat is measured', async () => {
    const { clock, network, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    await clock.advance(60_000);
    expect(network.counts.dialled).toBe(0);
    a.calls.tell(b.peer, 'test.tell', 1);
    await clock.advance(6_000);
    expect(b.told).toEqual([1]);
    for (const { calls } of [a, b]) {
      const [condition] = calls.conditions();
      expect(condition).toMatchObject({ open: true });
      expect(condition!.rttMs).toBeGreaterThan(0.4);
      expect(condition!.rttMs).toBeLessThan(10);
    }
  });

  test.each([
    [1, 0],
    [2, 0.1],
    [3, 1],
    [4, 5],
    [5, 5],
    [6, 20],
  ] as const)('is one, when both dial at once (seed %i, %f ms apart)', async (seed, meanMs) => {
    const { clock, network, node } = callsRig(seed);
    network.faults = { ...network.faults, delayMs: 5, meanMs };
    const [a, b] = [node('a'), node('b')];
    for (let at = 0; at < 20; at += 1) {
      a.calls.tell(b.peer, 'test.tell', at);
      b.calls.tell(a.peer, 'test.tell', at);
    }
    await clock.advance(5_000);
    const inOrder = Array.from({ length: 20 }, (_, at) => at);
    expect(a.told).toEqual(inOrder);
    expect(b.told).toEqual(inOrder);
    expect(whats(a)).toEqual(['made']);
    expect(whats(b)).toEqual(['made']);
  });

  test('that is reset is lost at both ends, and comes again when it is wanted', async () => {
    const { clock, network, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    b.calls.on('test.ask', () => new Promise(() => {}));
    const signals: AbortSignal[] = [];
    b.calls.on('test.rule', (_, __, signal) => {
      signals.push(signal);
      return new Promise(() => {});
    });
    const asked = outcome(a.calls.call(b.peer, 'test.ask', null, { timeoutMs: Infinity }));
    void outcome(a.calls.call(b.peer, 'test.rule', null, { timeoutMs: Infinity }));
    await clock.advance(100);
    network.reset(a.place, b.place);
    await clock.advance(10);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    expect(b.calls.conditions()[0]!.answering).toBe(0);
    expect(asked.code).toBe('HM-PEER-UNREACHABLE');
    expect(whats(a)).toEqual(['made', 'lost']);
    expect(whats(b)).toEqual(['made', 'lost']);
    await clock.advance(60_000);
    expect(network.counts.dialled).toBe(1);
    a.calls.tell(b.peer, 'test.tell', 'again');
    await clock.advance(1_000);
    expect(b.told).toEqual(['again']);
  });

  test('to a machine that vanished is lost by its silence', async () => {
    const { clock, network, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    a.calls.tell(b.peer, 'test.tell', 1);
    await clock.advance(100);
    network.vanish(b.place, true);
    await clock.advance(limits.peerQuietMs + limits.peerSilenceMs - 1_000);
    expect(whats(a)).toEqual(['made']);
    await clock.advance(1_000);
    expect(whats(a)).toEqual(['made', 'lost']);
  });

  test.each(['the end that dialled', 'the other end'])('is lost sooner when %s hears doubts', async (end) => {
    const { clock, network, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    const [doubting, gone] = end === 'the other end' ? [b, a] : [a, b];
    a.calls.tell(b.peer, 'test.tell', 1);
    await clock.advance(20_000);
    network.vanish(gone.place, true);
    await clock.advance(2_000);
    doubting.calls.doubt(gone.peer.id);
    // Gossip says so again and again: one doubt is enough.
    await clock.advance(limits.peerSilenceMs - 1_000);
    doubting.calls.doubt(gone.peer.id);
    expect(whats(doubting)).toEqual(['made']);
    await clock.advance(1_000);
    expect(whats(doubting)).toEqual(['made', 'lost']);
  });

  test('is lost sooner when it does not answer a question in time', async () => {
    const { clock, network, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    a.calls.keep(b.peer);
    await clock.advance(20_000);
    network.vanish(b.place, true);
    const asked = outcome(a.calls.call(b.peer, 'test.ask', null, { timeoutMs: 1_000 }));
    await clock.advance(1_000);
    expect(asked.code).toBe('HM-PEER-TIMEOUT');
    await clock.advance(limits.peerSilenceMs);
    expect(whats(a)).toEqual(['made', 'lost']);
  });

  test('that is doubted for nothing stays, and costs one heartbeat', async () => {
    const { clock, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    a.calls.keep(b.peer);
    await clock.advance(20_000);
    const heard = () => a.calls.conditions()[0]!.heard!;
    const before = heard();
    for (let at = 0; at < 10; at += 1) {
      a.calls.doubt(b.peer.id);
      await clock.advance(100);
    }
    expect(heard()).toBe(before + 1);
    a.calls.doubt('f'.repeat(32));
    await clock.advance(10_000);
    expect(whats(a)).toEqual(['made']);
  });

  test('that is idle costs few heartbeats, and none while frames come anyway', async () => {
    const { clock, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    a.calls.keep(b.peer);
    await clock.advance(limits.peerHeartbeatMs + 1_000);
    const heard = () => [a, b].map(({ calls }) => calls.conditions()[0]!.heard!);
    const before = heard();
    await clock.advance(4 * limits.peerQuietMs);
    // One question and one answer each time.
    expect(heard()).toEqual(before.map((count) => count + 4));
    b.calls.on('test.ask', () => 1);
    const asked = heard();
    for (let at = 0; at < 6; at += 1) {
      void outcome(a.calls.call(b.peer, 'test.ask', null, { timeoutMs: 1_000 }));
      await clock.advance(limits.peerQuietMs / 2);
    }
    expect(heard()).toEqual(asked.map((count) => count + 6));
  });

  test('is lost when one way alone is cut, and comes again when it is mended', async () => {
    const { clock, network, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    a.calls.keep(b.peer);
    await clock.advance(1_000);
    network.cut(b.place, a.place);
    await clock.advance(limits.peerQuietMs + limits.peerSilenceMs);
    expect(whats(a)).toEqual(['made', 'lost']);
    network.mendAll();
    await clock.advance(20_000);
    expect(whats(a)).toEqual(['made', 'lost', 'made']);
    expect(whats(b).at(-1)).toBe('made');
  });

  test('that is kept comes again after a restart of the peer, which is known by its boot', async () => {
    const { clock, network, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    const letGo = a.calls.keep(b.peer);
    await clock.advance(1_000);
    network.vanish(b.place);
    await clock.advance(1_000);
    const again = node('b', { boot: 2 });
    await clock.advance(10_000);
    expect(a.events.map(({ what, boot }) => `${what} ${boot}`)).toEqual(['made 1', 'lost 1', 'made 2']);
    letGo();
    network.vanish(again.place);
    await clock.advance(60_000);
    expect(whats(a).at(-1)).toBe('lost');
  });

  test('made anew by a peer that lost the old one takes its place', async () => {
    const { clock, network, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    b.calls.tell(a.peer, 'test.tell', 'old');
    await clock.advance(100);
    network.vanish(b.place, true);
    const again = node('b', { boot: 2 });
    again.calls.tell(a.peer, 'test.tell', 'new');
    await clock.advance(1_000);
    expect(a.told).toEqual(['old', 'new']);
    expect(a.events.map(({ what, boot }) => `${what} ${boot}`)).toEqual(['made 1', 'lost 1', 'made 2']);
  });

  test('closed by a node that stops is told as that', async () => {
    const { clock, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    a.calls.tell(b.peer, 'test.tell', 1);
    await clock.advance(100);
    await b.calls.close();
    await clock.advance(100);
    expect(a.events.at(-1)).toMatchObject({ what: 'lost', reason: { message: 'The node is stopping.' } });
    expect(b.calls.tell(a.peer, 'test.tell', 2)).toBe('closed');
    await expect(b.calls.call(a.peer, 'test.ask', 2, { timeoutMs: 1 })).rejects.toThrow(
      'HM-PEER-UNREACHABLE',
    );
  });
});

test('a connection that nobody needs is closed after a while, by the end that made it', async () => {
  const { clock, node } = callsRig();
  const [a, b] = [node('a'), node('b')];
  a.calls.tell(b.peer, 'test.tell', 1);
  await clock.advance(limits.peerRestMs);
  b.calls.tell(a.peer, 'test.tell', 2);
  await clock.advance(limits.peerRestMs - 1_000);
  expect([...whats(a), ...whats(b)]).toEqual(['made', 'made']);
  await clock.advance(2 * limits.peerTidyMs);
  expect([whats(a), whats(b)]).toEqual([
    ['made', 'lost'],
    ['made', 'lost'],
  ]);
  a.calls.tell(b.peer, 'test.tell', 3);
  await clock.advance(1_000);
  expect(b.told).toEqual([1, 3]);
});

test('of connections that nobody needs the oldest are closed', async () => {
  const { clock, network, node } = callsRig();
  const hub = node('1');
  const others = Array.from({ length: limits.peerIdle + 3 }, (_, at) => {
    const digits = (at + 16).toString(16);
    return node(digits);
  });
  const letGo = hub.calls.keep(others[0]!.peer);
  for (const { peer } of others) {
    hub.calls.tell(peer, 'test.tell', 1);
    await clock.advance(100);
  }
  await clock.advance(3 * limits.peerTidyMs);
  const open = () => hub.calls.conditions().flatMap(({ open: is, id }) => (is ? [id] : []));
  expect(open().length).toBe(limits.peerIdle + 1);
  expect(open()).toContain(others[0]!.peer.id);
  expect(open()).not.toContain(others[1]!.peer.id);
  expect(network.counts.resets).toBe(0);
  letGo();
});

describe('a node of which only the address is known', () => {
  test('is found, and one connection is enough for it', async () => {
    const { clock, network, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    b.calls.on('test.ask', (from) => from.name);
    const seed = { id: '', address: b.peer.address };
    const asked = [1, 2, 3].map(() => outcome(a.calls.call(seed, 'test.ask', null, { timeoutMs: 1_000 })));
    await clock.advance(500);
    expect(asked.map(({ value }) => value)).toEqual(['na', 'na', 'na']);
    a.calls.tell(b.peer, 'test.tell', 1);
    const again = outcome(a.calls.call(seed, 'test.ask', null, { timeoutMs: 1_000 }));
    await clock.advance(500);
    expect(again.value).toBe('na');
    expect(network.counts.dialled).toBe(1);
    expect(whats(a)).toEqual(['made']);
    expect(whats(b)).toEqual(['made']);
  });

  test('may be nobody, slow, or oneself', async () => {
    const { clock, network, node } = callsRig();
    const [a, b] = [node('a'), node('b')];
    const at = (address: typeof b.peer.address) =>
      outcome(a.calls.call({ id: '', address }, 'test.ask', null, { timeoutMs: 1_000 }));
    const [nobody, self] = [at({ host: '10.9.9.9', port: 1 }), at(a.peer.address)];
    network.cut(a.place, b.place);
    const slow = at(b.peer.address);
    await clock.advance(2_000);
    expect([nobody.code, self.code, slow.code]).toEqual([
      'HM-PEER-UNREACHABLE',
      'HM-PEER-UNREACHABLE',
      'HM-PEER-TIMEOUT',
    ]);
    expect(() => a.calls.tell({ id: '', address: b.peer.address }, 'test.tell', 1)).toThrow(
      'HM-PEER-UNREACHABLE',
    );
  });
});

test.each([1, -1])('whose clock is an hour off is told so (%i h)', async (hours) => {
  const { clock, network, node } = callsRig();
  const [a, b] = [node('a', { wallOffMs: hours * 3_600_000 }), node('b')];
  b.calls.on('test.ask', () => 'answered');
  const refused = outcome(a.calls.call(b.peer, 'test.ask', null, { timeoutMs: 1_000 }));
  await clock.advance(500);
  expect(refused.code).toBe('HM-CLUSTER-CLOCK');
  expect(network.counts.dialled).toBe(1);
  expect([...whats(a), ...whats(b)]).toEqual([]);
});
