/**
 * Questions that are not ours, passed to the machine's resolvers with an id of our own and at most so many at once.
 * Answers are kept for a second, so that a storm of equal questions is one question.
 */
import { createSocket, type Socket } from 'node:dgram';
import { LRUCache } from 'lru-cache';
import { limits } from '../../../protocols/limits.ts';
import type { Clock } from '../../../protocols/ports.ts';

export interface Forwarder {
  /** `answer` gets the bytes under the asker's own id, or `undefined` when nobody answered. */
  forward(query: Buffer, answer: (bytes: Buffer | undefined) => void): void;
  close(): void;
}

interface Waiting {
  readonly query: Buffer;
  readonly answer: (bytes: Buffer | undefined) => void;
  timer: unknown;
  tries: number;
}

const keepMs = 1_000;
const port = 53;

export function createForwarder(clock: Clock, upstreams: readonly string[]): Forwarder {
  const waiting = new Map<number, Waiting>();
  const answers = new LRUCache<string, { bytes: Buffer; until: number }>({ max: limits.dnsCache });
  let socket: Socket | undefined;
  let nextId = 1;

  const settle = (id: number, bytes: Buffer | undefined): void => {
    const entry = waiting.get(id);
    if (!entry) return;
    waiting.delete(id);
    clock.clearTimer(entry.timer);
    if (bytes) answers.set(keyOf(entry.query), { bytes, until: clock.monotonicMs() + keepMs });
    entry.answer(bytes && withId(bytes, entry.query.readUInt16BE(0)));
  };

  const open = (): Socket => {
    if (socket) return socket;
    const fresh = createSocket('udp4', (bytes, from) => {
      // Only what was asked, from whom it was asked.
      if (bytes.length < 12 || !upstreams.includes(from.address)) return;
      const id = bytes.readUInt16BE(0);
      const entry = waiting.get(id);
      if (entry && keyOf(entry.query) === keyOf(bytes)) settle(id, bytes);
    });
    fresh.on('error', () => {
      fresh.close();
      socket = undefined;
    });
    fresh.unref();
    socket = fresh;
    return fresh;
  };

  const ask = (id: number, entry: Waiting): void => {
    const upstream = upstreams[entry.tries % upstreams.length];
    if (upstream === undefined || entry.tries >= 2 * upstreams.length) return settle(id, undefined);
    entry.tries += 1;
    entry.timer = clock.setTimer(limits.dnsForwardMs / 2, () => ask(id, entry));
    open().send(withId(entry.query, id), port, upstream, () => undefined);
  };

  return {
    forward: (query, answer) => {
      if (query.length < 12) return;
      const kept = answers.get(keyOf(query));
      if (kept && kept.until > clock.monotonicMs()) return answer(withId(kept.bytes, query.readUInt16BE(0)));
      if (upstreams.length === 0 || waiting.size >= limits.dnsForwards) return answer(undefined);
      do nextId = (nextId + 1) % 0x10000;
      while (waiting.has(nextId));
      const entry: Waiting = { query: Buffer.from(query), answer, timer: undefined, tries: 0 };
      waiting.set(nextId, entry);
      ask(nextId, entry);
    },
    close: () => {
      for (const entry of waiting.values()) clock.clearTimer(entry.timer);
      waiting.clear();
      socket?.close();
      socket = undefined;
    },
  };
}

function withId(bytes: Buffer, id: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt16BE(id, 0);
  return copy;
}

/** The question section, case folded: names follow the 12 bytes of the head up to a zero, then type and class. */
function keyOf(bytes: Buffer): string {
  let end = 12;
  while (end < bytes.length && bytes[end] !== 0) end += bytes[end]! + 1;
  return bytes
    .subarray(12, end + 5)
    .toString('latin1')
    .toLowerCase();
}
