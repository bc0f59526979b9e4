/**
 * Questions that are not ours, passed to the machine's resolvers under an id by chance and at most so many at once.
 * Answers are kept for a second, so that a storm of equal questions is one question. What came by TCP goes by TCP:
 * its answer did not fit a datagram.
 */
import { createSocket, type Socket } from 'node:dgram';
import { connect, isIPv6, type Socket as Stream } from 'node:net';
import { LRUCache } from 'lru-cache';
import { limits } from '../../../protocols/limits.ts';
import type { Clock, Random } from '../../../protocols/ports.ts';
import { framed, messages } from './sockets.ts';

export interface Forwarder {
  /** `answer` gets the bytes under the asker's own id, or `undefined` when nobody answered. */
  forward(query: Buffer, by: 'udp' | 'tcp', answer: (bytes: Buffer | undefined) => void): void;
  close(): void;
}

interface Upstream {
  readonly address: string;
  readonly port: number;
}

interface Waiting {
  readonly query: Buffer;
  readonly key: string;
  readonly by: 'udp' | 'tcp';
  readonly answer: (bytes: Buffer | undefined) => void;
  timer: unknown;
  tries: number;
  stream?: Stream;
}

export interface ForwarderOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** `192.0.2.53`, or `192.0.2.53#5353` with a port. */
  readonly upstreams: readonly string[];
}

const keepMs = 1_000;
const headBytes = 12;

export function createForwarder({ clock, random, upstreams: texts }: ForwarderOptions): Forwarder {
  const upstreams = texts.map(parseUpstream);
  const waiting = new Map<number, Waiting>();
  const answers = new LRUCache<string, { bytes: Buffer; until: number }>({ max: limits.dnsCache });
  const sockets = new Map<'udp4' | 'udp6', Socket>();

  const settle = (id: number, bytes: Buffer | undefined): void => {
    const entry = waiting.get(id);
    if (!entry) return;
    waiting.delete(id);
    clock.clearTimer(entry.timer);
    entry.stream?.destroy();
    if (bytes) answers.set(entry.key, { bytes, until: clock.monotonicMs() + keepMs });
    entry.answer(bytes && withId(bytes, entry.query.readUInt16BE(0)));
  };

  /** Only what was asked counts, and only from whom it was asked. */
  const heard = (bytes: Buffer, from: Upstream, by: 'udp' | 'tcp'): void => {
    if (bytes.length < headBytes || (bytes[2]! & 0x80) === 0) return;
    const id = bytes.readUInt16BE(0);
    const entry = waiting.get(id);
    const known = upstreams.some(({ address, port }) => address === from.address && port === from.port);
    if (known && entry?.by === by && questionOf(entry.query) === questionOf(bytes)) settle(id, bytes);
  };

  const socketFor = (address: string): Socket => {
    const family = isIPv6(address) ? 'udp6' : 'udp4';
    const open = sockets.get(family);
    if (open) return open;
    const fresh = createSocket(family, (bytes, from) => heard(bytes, from, 'udp'));
    fresh.on('error', () => {
      sockets.delete(family);
      fresh.close();
    });
    fresh.unref();
    sockets.set(family, fresh);
    return fresh;
  };

  const ask = (id: number, entry: Waiting): void => {
    const upstream = upstreams[entry.tries % upstreams.length];
    if (upstream === undefined || entry.tries >= 2 * upstreams.length) return settle(id, undefined);
    entry.tries += 1;
    entry.timer = clock.setTimer(limits.dnsForwardMs / 2, () => ask(id, entry));
    const query = withId(entry.query, id);
    // A send that fails is asked again when its time is over.
    if (entry.by === 'udp') {
      return socketFor(upstream.address).send(query, upstream.port, upstream.address, () => undefined);
    }
    entry.stream?.destroy();
    const stream = connect({ host: upstream.address, port: upstream.port });
    stream.on('error', () => stream.destroy());
    stream.on(
      'data',
      messages((bytes) => heard(bytes, upstream, 'tcp')),
    );
    stream.write(framed(query));
    entry.stream = stream;
  };

  return {
    forward: (query, by, answer) => {
      if (query.length < headBytes) return answer(undefined);
      const key = `${by} ${query.readUInt16BE(10)} ${questionOf(query)}`;
      const kept = answers.get(key);
      if (kept && kept.until > clock.monotonicMs()) return answer(withId(kept.bytes, query.readUInt16BE(0)));
      if (upstreams.length === 0 || waiting.size >= limits.dnsForwards) return answer(undefined);
      let id: number;
      do id = Math.floor(random.next() * 0x10000);
      while (waiting.has(id));
      const entry: Waiting = { query: Buffer.from(query), key, by, answer, timer: undefined, tries: 0 };
      waiting.set(id, entry);
      ask(id, entry);
    },
    close: () => {
      for (const { timer, stream } of waiting.values()) {
        clock.clearTimer(timer);
        stream?.destroy();
      }
      waiting.clear();
      for (const socket of sockets.values()) socket.close();
      sockets.clear();
    },
  };
}

function parseUpstream(text: string): Upstream {
  const [address = '', port = '53'] = text.split('#');
  return { address, port: Number(port) };
}

function withId(bytes: Buffer, id: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt16BE(id, 0);
  return copy;
}

/** The question section, case folded: names follow the 12 bytes of the head up to a zero, then type and class. */
function questionOf(bytes: Buffer): string {
  let end = headBytes;
  while (end < bytes.length && bytes[end] !== 0) end += bytes[end]! + 1;
  return bytes
    .subarray(headBytes, end + 5)
    .toString('latin1')
    .toLowerCase();
}
