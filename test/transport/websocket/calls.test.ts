/** Calls over real connections: what the network in memory shows of them is so here too. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { Calls, Peer } from '../../../protocols/wire/calls.ts';
import { realClock } from '../../../runtime/world/real-clock.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import { createCalls } from '../../../transport/calls/calls.ts';
import { openWebSocketLink } from '../../../transport/websocket/websocket-link.ts';
import { types } from '../../kit/cluster/calls-rig.ts';
import { certificateMaker, type NodeCertificate } from '../../kit/cluster/certificates.ts';
import { until } from '../../kit/until.ts';

const opened: Calls[] = [];
afterEach(async () => {
  for (const calls of opened.splice(0)) await calls.close();
});

async function node({ id, name, role, tls }: NodeCertificate, { port = 0, boot = 1 } = {}) {
  const link = await openWebSocketLink({
    address: { host: '127.0.0.1', port },
    tls: () => tls,
    clock: realClock,
  });
  const self = { id, name, role, boot };
  const calls = createCalls({ self, link, clock: realClock, random: seededRandom(boot), types });
  opened.push(calls);
  const told: unknown[] = [];
  const events: string[] = [];
  calls.on('test.tell', (_, body) => void told.push(body));
  calls.onPeer(({ what, boot: theirs }) => void events.push(`${what} ${theirs}`));
  const peer: Peer = { id, address: link.address };
  return { calls, peer, told, events, link };
}

test('are answered, with who asked as its certificate says; large bodies pass', async () => {
  const cluster = await certificateMaker();
  const a = await node(await cluster.node('n1', { role: 'server' }));
  const b = await node(await cluster.node('n2'));
  a.calls.on('test.ask', (from, body) => ({ from, length: (body as string).length }));
  const answer = await b.calls.call(a.peer, 'test.ask', 'x'.repeat(900_000), { timeoutMs: 30_000 });
  expect(answer).toEqual({
    from: { id: b.peer.id, name: 'n2', role: 'agent', boot: 1 },
    length: 900_000,
  });
  const order = b.calls.call(a.peer, 'test.rule', null, { timeoutMs: 1_000 });
  await expect(order).rejects.toThrow('No agent may send test.rule');
});

test('end in one connection when both ends dial at once, and nothing is lost or out of order', async () => {
  const cluster = await certificateMaker();
  for (let round = 0; round < 5; round += 1) {
    const a = await node(await cluster.node('n1'));
    const b = await node(await cluster.node('n2'));
    for (let at = 0; at < 50; at += 1) {
      a.calls.tell(b.peer, 'test.tell', at);
      b.calls.tell(a.peer, 'test.tell', at);
    }
    await until('all is told', () => a.told.length + b.told.length >= 100);
    const inOrder = Array.from({ length: 50 }, (_, at) => at);
    expect([a.told, b.told, a.events, b.events]).toEqual([inOrder, inOrder, ['made 1'], ['made 1']]);
    for (const { calls } of [a, b]) await calls.close();
  }
});

test('go on after the peer came back at the same address', async () => {
  const cluster = await certificateMaker();
  const identity = await cluster.node('n2');
  const a = await node(await cluster.node('n1'));
  const b = await node(identity);
  const letGo = a.calls.keep(b.peer);
  await until('it is connected', () => a.events.length === 1);
  await b.calls.close();
  await until('it is lost', () => a.events.length === 2);
  const again = await node(identity, { port: b.peer.address.port, boot: 2 });
  await until('it is connected again', () => a.events.length === 3);
  expect(a.events).toEqual(['made 1', 'lost 1', 'made 2']);
  a.calls.tell(again.peer, 'test.tell', 'again');
  await until('it is told', () => again.told.length === 1);
  letGo();
});

test('fill a bounded queue when the peer does not hear, and are told', async () => {
  const cluster = await certificateMaker();
  const a = await node(await cluster.node('n1', { role: 'server' }));
  const b = await node(await cluster.node('n2'));
  const waiting: (() => void)[] = [];
  let heard = 0;
  b.calls.on('test.order', () => {
    heard += 1;
    return new Promise<void>((resolve) => void waiting.push(resolve));
  });
  let taken = 0;
  const body = 'x'.repeat(900);
  const fill = (): boolean => {
    for (let at = 0; at < 5_000; at += 1) {
      if (a.calls.tell(b.peer, 'test.order', body) === 'full') return true;
      taken += 1;
    }
    return false;
  };
  await until('the queue is full', fill);
  expect(a.calls.conditions()[0]!.queuedBytes).toBeLessThan(12_000_000);
  await until('all is heard', () => {
    for (const done of waiting.splice(0)) done();
    return heard === taken;
  });
});

/** Passes on to `to` what comes, and counts the TLS records that go there: each header says how long its record is. */
async function countingRelay(to: { readonly host: string; readonly port: number }) {
  const relay = { records: 0, address: to, close: (): void => undefined };
  const server = createServer((caller) => {
    const called = connect(to);
    let left = 0;
    let seen = Buffer.alloc(0);
    caller.on('data', (chunk: Buffer) => {
      for (seen = Buffer.concat([seen, chunk]); seen.length > 0;) {
        if (left === 0 && seen.length < 5) break;
        if (left === 0) {
          relay.records += 1;
          left = 5 + seen.readUInt16BE(3);
        }
        const taken = Math.min(left, seen.length);
        left -= taken;
        seen = seen.subarray(taken);
      }
    });
    for (const [one, other] of [
      [caller, called],
      [called, caller],
    ] as const) {
      one.pipe(other);
      one.on('error', () => other.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  relay.address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  relay.close = () => void server.close();
  return relay;
}

test('leave together when they are said together, and in their order', async () => {
  const cluster = await certificateMaker();
  const a = await node(await cluster.node('n1'));
  const b = await node(await cluster.node('n2'));
  const relay = await countingRelay(b.peer.address);
  const peer = { ...b.peer, address: relay.address };
  const letGo = a.calls.keep(peer);
  await until('it is connected', () => a.events.length === 1);
  const before = relay.records;
  const inOrder = Array.from({ length: 30 }, (_, at) => at);
  for (const at of inOrder) {
    a.calls.tell(peer, 'test.tell', at);
    if (at % 3 === 2) await until('these are told', () => b.told.length > at);
  }
  expect(b.told).toEqual(inOrder);
  // A heartbeat may have come between.
  expect(relay.records - before).toBeLessThan(10 + 3);
  letGo();
  relay.close();
});
