/** Every stream link under one suite: the network in memory, and WebSocket over TLS on the loopback. */
import { afterEach, describe, expect, test } from 'vitest';
import type { CodedError } from '../../protocols/errors.ts';
import type { Peer } from '../../protocols/wire/calls.ts';
import {
  streamFrameBytes,
  streamWaitingBytes,
  type StreamConnection,
  type StreamIdentity,
  type StreamLink,
} from '../../transport/stream-link.ts';
import { MemoryStreams } from '../../transport/memory/streams.ts';
import { HeapClock } from '../../runtime/world/heap-clock.ts';
import { realClock } from '../../runtime/world/real-clock.ts';
import { seededRandom } from '../../runtime/world/seeded-random.ts';
import { openWebSocketLink } from '../../transport/websocket/websocket-link.ts';
import { certificateMaker } from '../kit/cluster/certificates.ts';
import { until } from '../kit/until.ts';

interface Arm {
  /** A link of a node that has that name. */
  open(name: string): Promise<{ readonly link: StreamLink; readonly identity: StreamIdentity }>;
  /** Lets what was done take effect. */
  settle(what: string, done: () => boolean): Promise<void>;
}

function memory(): Arm {
  const clock = new HeapClock();
  const network = new MemoryStreams(clock, seededRandom(1));
  let port = 4_000;
  return {
    open: async (name) => {
      const identity = { id: `${++port}`.padStart(32, '0'), name, role: 'agent' } as const;
      return { link: network.open(identity, { host: '10.0.0.1', port }), identity };
    },
    settle: async (what, done) => {
      for (let waited = 0; waited < 60_000 && !done(); waited += 100) await clock.advance(100);
      if (!done()) throw new Error(`never: ${what}`);
    },
  };
}

function webSocket(): Arm {
  const maker = certificateMaker();
  return {
    open: async (name) => {
      const { id, role, tls } = await (await maker).node(name);
      const address = { host: '127.0.0.1', port: 0 };
      const link = await openWebSocketLink({ address, tls: () => tls, clock: realClock });
      return { link, identity: { id, name, role } };
    },
    settle: async (what, done) => void (await until(what, done)),
  };
}

const never = new AbortController().signal;

/** One end with everything it heard. */
function end(connection: StreamConnection) {
  const heard: Uint8Array[] = [];
  const seen = { connection, heard, drained: 0, ended: [] as string[] };
  connection.hear({
    frame: (bytes) => void heard.push(bytes.slice()),
    drained: () => (seen.drained += 1),
    ended: ({ code }) => void seen.ended.push(code),
  });
  return seen;
}

describe.each([
  ['in memory', memory],
  ['over WebSocket and TLS', webSocket],
] as const)('a stream link %s', (_, arm) => {
  const opened: StreamLink[] = [];
  afterEach(async () => {
    for (const link of opened.splice(0)) await link.close();
  });

  async function party() {
    const way = arm();
    const arrivals: ReturnType<typeof end>[] = [];
    const open = async (name: string) => {
      const { link, identity } = await way.open(name);
      opened.push(link);
      link.accept((connection) => void arrivals.push(end(connection)));
      return { link, identity, peer: { id: identity.id, address: link.address } satisfies Peer };
    };
    const a = await open('na');
    const b = await open('nb');
    /** As on the real clock, a dial needs time to pass. */
    const dial = async (from: StreamLink, to: Peer, signal = never) => {
      let result: StreamConnection | Error | undefined;
      from.dial(to, signal).then(
        (connection) => (result = connection),
        (thrown: Error) => (result = thrown),
      );
      await way.settle('the dial ends', () => result !== undefined);
      return result!;
    };
    const pair = async () => {
      const dialled = await dial(a.link, b.peer);
      if (dialled instanceof Error) throw dialled;
      const one = end(dialled);
      await way.settle('the connection has arrived', () => arrivals.length > 0);
      return { one, other: arrivals[0]! };
    };
    return { way, a, b, arrivals, dial, pair };
  }

  test('joins two that have proven who they are', async () => {
    const { a, b, pair } = await party();
    const { one, other } = await pair();
    expect(one.connection.peer).toEqual(b.identity);
    expect(other.connection.peer).toEqual(a.identity);
  });

  test('carries whole frames in their order, both ways, up to the longest', async () => {
    const { way, pair } = await party();
    const { one, other } = await pair();
    const lengths = [0, 1, 125, 126, 65_535, 65_536, 1_000_000, streamFrameBytes];
    for (const [at, length] of lengths.entries()) {
      one.connection.send(new Uint8Array(length).fill(at));
      other.connection.send(new Uint8Array(length).fill(100 + at));
    }
    await way.settle(
      'all frames have arrived',
      () => one.heard.length + other.heard.length === 2 * lengths.length,
    );
    expect(other.heard.map(({ length }) => length)).toEqual(lengths);
    expect(one.heard.map(({ length }) => length)).toEqual(lengths);
    expect(other.heard.at(-1)!.at(-1)).toBe(lengths.length - 1);
    expect(one.heard.at(-1)!.at(-1)).toBe(100 + lengths.length - 1);
  });

  test('finds nobody where nobody listens', async () => {
    const { a, b, dial } = await party();
    await b.link.close();
    const refused = await dial(a.link, b.peer);
    expect((refused as CodedError).reason.code).toBe('HM-PEER-UNREACHABLE');
  });

  test('takes whoever answers when no id is given', async () => {
    const { a, b, dial } = await party();
    const dialled = await dial(a.link, { id: '', address: b.peer.address });
    expect((dialled as StreamConnection).peer).toEqual(b.identity);
  });

  test('refuses another than the one that is meant, and the other hears nothing of it', async () => {
    const { a, b, dial, arrivals } = await party();
    const refused = await dial(a.link, { id: 'c'.repeat(32), address: b.peer.address });
    expect((refused as CodedError).reason.code).toBe('HM-PEER-IDENTITY');
    expect(arrivals.flatMap(({ heard }) => heard)).toEqual([]);
  });

  test('an attempt can be given up', async () => {
    const { a, b, dial } = await party();
    const controller = new AbortController();
    const attempt = dial(a.link, b.peer, controller.signal);
    controller.abort();
    expect(((await attempt) as CodedError).reason.code).toBe('HM-PEER-UNREACHABLE');
  });

  test('what was sent before the end arrives, and each end hears of the end once, last', async () => {
    const { way, pair } = await party();
    const { one, other } = await pair();
    for (let at = 0; at < 10; at += 1) one.connection.send(new Uint8Array([at]));
    one.connection.close({ code: 'HM-PEER-UNREACHABLE', message: 'enough', hint: '', evidence: {} });
    one.connection.send(new Uint8Array([99]));
    one.connection.close({ code: 'HM-PEER-UNREACHABLE', message: 'again', hint: '', evidence: {} });
    await way.settle('both have ended', () => one.ended.length > 0 && other.ended.length > 0);
    expect(other.heard.map(([first]) => first)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(one.ended).toEqual(['HM-PEER-UNREACHABLE']);
    expect(other.ended).toEqual(['HM-PEER-UNREACHABLE']);
  });

  test('who does not read holds up the sender, and nothing is lost', async () => {
    const { way, pair } = await party();
    const { one, other } = await pair();
    other.connection.pause();
    const frame = new Uint8Array(262_144);
    let sent = 0;
    for (; sent < 400 && one.connection.waiting < streamWaitingBytes; sent += 1) {
      one.connection.send(frame.fill(sent % 256).slice());
      // What the systems between hold fills first.
      if (sent % 20 === 19) await way.settle('some has left', () => true);
    }
    expect(one.connection.waiting).toBeGreaterThanOrEqual(streamWaitingBytes);
    const before = other.heard.length;
    expect(before).toBeLessThan(sent);
    other.connection.resume();
    await way.settle('all has arrived', () => other.heard.length === sent);
    await way.settle('there is room', () => one.connection.waiting === 0);
    expect(other.heard.map(([first]) => first)).toEqual(Array.from({ length: sent }, (__, at) => at % 256));
    expect(one.drained).toBeGreaterThan(0);
  });

  test('a frame that is too long ends the connection', async () => {
    const { way, pair } = await party();
    const { one, other } = await pair();
    one.connection.send(new Uint8Array(streamFrameBytes + 1));
    await way.settle('both have ended', () => one.ended.length > 0 && other.ended.length > 0);
    expect(other.heard).toEqual([]);
  });

  test('a link that closes ends its connections', async () => {
    const { way, b, pair } = await party();
    const { one, other } = await pair();
    await b.link.close();
    await way.settle('both have ended', () => one.ended.length > 0 && other.ended.length > 0);
    expect([one.ended.length, other.ended.length]).toEqual([1, 1]);
  });
});
