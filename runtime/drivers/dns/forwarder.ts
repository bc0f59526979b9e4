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

export function createForwarder(options: ForwarderOptions): Forwarder {
  return new UpstreamForwarder(options);
}

class UpstreamForwarder implements Forwarder {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #upstreams: readonly Upstream[];
  readonly #waiting = new Map<number, Waiting>();
  readonly #answers = new LRUCache<string, { bytes: Buffer; until: number }>({ max: limits.dnsCache });
  readonly #sockets = new Map<'udp4' | 'udp6', Socket>();

  constructor({ clock, random, upstreams }: ForwarderOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#upstreams = upstreams.map(parseUpstream);
  }

  forward: Forwarder['forward'] = (query, by, answer) => {
    if (query.length < headBytes) return answer(undefined);
    // Who speaks EDNS gets other answers than who does not.
    const key = `${by} ${query.readUInt16BE(10)} ${questionOf(query)}`;
    const kept = this.#answers.get(key);
    if (kept && kept.until > this.#clock.monotonicMs())
      return answer(withId(kept.bytes, query.readUInt16BE(0)));
    if (this.#upstreams.length === 0 || this.#waiting.size >= limits.dnsForwards) return answer(undefined);
    let id: number;
    do id = Math.floor(this.#random.next() * 0x10000);
    while (this.#waiting.has(id));
    const entry: Waiting = { query: Buffer.from(query), key, by, answer, timer: undefined, tries: 0 };
    this.#waiting.set(id, entry);
    this.#ask(id, entry);
  };

  close(): void {
    for (const { timer, stream } of this.#waiting.values()) {
      this.#clock.clearTimer(timer);
      stream?.destroy();
    }
    this.#waiting.clear();
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  #ask(id: number, entry: Waiting): void {
    const upstream = this.#upstreams[entry.tries % this.#upstreams.length];
    if (upstream === undefined || entry.tries >= 2 * this.#upstreams.length)
      return this.#settle(id, undefined);
    entry.tries += 1;
    entry.timer = this.#clock.setTimer(limits.dnsForwardMs / 2, () => this.#ask(id, entry));
    const query = withId(entry.query, id);
    // A send that fails is asked again when its time is over.
    if (entry.by === 'udp') {
      this.#socketFor(upstream.address).send(query, upstream.port, upstream.address, () => undefined);
      return;
    }
    entry.stream?.destroy();
    const stream = connect({ host: upstream.address, port: upstream.port });
    stream.on('error', () => stream.destroy());
    stream.on(
      'data',
      messages((bytes) => this.#heard(bytes, upstream, 'tcp')),
    );
    stream.write(framed(query));
    entry.stream = stream;
  }

  /** Only what was asked counts, and only from whom it was asked. */
  #heard(bytes: Buffer, from: Upstream, by: 'udp' | 'tcp'): void {
    if (bytes.length < headBytes || (bytes[2]! & 0x80) === 0) return;
    const id = bytes.readUInt16BE(0);
    const entry = this.#waiting.get(id);
    const known = this.#upstreams.some(({ address, port }) => address === from.address && port === from.port);
    if (known && entry?.by === by && questionOf(entry.query) === questionOf(bytes)) this.#settle(id, bytes);
  }

  #settle(id: number, bytes: Buffer | undefined): void {
    const entry = this.#waiting.get(id);
    if (!entry) return;
    this.#waiting.delete(id);
    this.#clock.clearTimer(entry.timer);
    entry.stream?.destroy();
    if (bytes) this.#answers.set(entry.key, { bytes, until: this.#clock.monotonicMs() + keepMs });
    entry.answer(bytes && withId(bytes, entry.query.readUInt16BE(0)));
  }

  #socketFor(address: string): Socket {
    const family = isIPv6(address) ? 'udp6' : 'udp4';
    const open = this.#sockets.get(family);
    if (open) return open;
    const fresh = createSocket(family, (bytes, from) => this.#heard(bytes, from, 'udp'));
    fresh.on('error', () => {
      this.#sockets.delete(family);
      fresh.close();
    });
    fresh.unref();
    this.#sockets.set(family, fresh);
    return fresh;
  }
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
