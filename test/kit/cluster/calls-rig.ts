/** Nodes that call each other over the network in memory, in virtual time, with everything they hear. */
import { CodedError } from '../../../protocols/errors.ts';
import type { Clock } from '../../../protocols/ports.ts';
import { messageTypes, type MessageType, type NodeRole } from '../../../protocols/wire/catalogue.ts';
import type { Calls, Peer, PeerEvent } from '../../../protocols/wire/calls.ts';
import type { Versions } from '../../../protocols/wire/frames.ts';
import { HeapClock } from '../../../runtime/world/heap-clock.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import { createCalls } from '../../../transport/calls/calls.ts';
import { MemoryStreams } from '../../../transport/memory/streams.ts';

export const types = {
  ...messageTypes,
  'test.ask': { plane: 'stream', from: ['server', 'agent'], bytes: 1_000_000, answerBytes: 1_000_000 },
  'test.tell': { plane: 'stream', from: ['server', 'agent'], bytes: 1_000_000 },
  'test.rule': { plane: 'stream', from: ['server'], bytes: 1_000, answerBytes: 10 },
  'test.order': { plane: 'stream', from: ['server'], bytes: 1_000 },
  'test.packet': { plane: 'datagram', from: ['server', 'agent'], bytes: 1_000 },
} as const satisfies Record<string, MessageType>;

export interface CallsNode {
  readonly calls: Calls;
  readonly peer: Peer;
  readonly place: string;
  readonly events: PeerEvent[];
  /** Bodies of `test.tell`, in the order they came. */
  readonly told: unknown[];
}

export interface CallsRig {
  readonly clock: HeapClock;
  readonly network: MemoryStreams;
  node(
    digit: string,
    options?: { role?: NodeRole; versions?: Versions; boot?: number; wallOffMs?: number },
  ): CallsNode;
}

export function callsRig(seed = 1, clock = new HeapClock()): CallsRig {
  const network = new MemoryStreams(clock, seededRandom(seed));
  let drawn = seed * 1_000;
  return {
    clock,
    network,
    node: (digit, { role = 'server', versions, boot = 1, wallOffMs = 0 } = {}) => {
      const id = digit.repeat(32);
      const name = `n${digit}`;
      const address = { host: `10.0.0.${Number.parseInt(digit, 16)}`, port: 4_484 };
      const calls = createCalls({
        self: { id, name, role, boot },
        link: network.open({ id, name, role }, address),
        clock: ownClock(clock, wallOffMs),
        random: seededRandom((drawn += 1)),
        types,
        ...(versions === undefined ? {} : { versions }),
      });
      const node = {
        calls,
        peer: { id, address },
        place: `${address.host} ${address.port}`,
        events: [] as PeerEvent[],
        told: [] as unknown[],
      };
      calls.onPeer((event) => void node.events.push(event));
      calls.on('test.tell', (_, body) => void node.told.push(body));
      return node;
    },
  };
}

function ownClock(clock: HeapClock, wallOffMs: number): Clock {
  return {
    now: () => clock.now() + wallOffMs,
    monotonicMs: () => clock.monotonicMs(),
    setTimer: (delayMs, fire) => clock.setTimer(delayMs, fire),
    clearTimer: (timer) => clock.clearTimer(timer),
    defer: (run) => clock.defer(run),
  };
}

/** What became of a promise, without waiting for it. */
export function outcome(promise: Promise<unknown>): {
  value?: unknown;
  code?: string;
  message?: string;
  done: boolean;
} {
  const seen: ReturnType<typeof outcome> = { done: false };
  promise.then(
    (value) => Object.assign(seen, { value, done: true }),
    (thrown: unknown) =>
      Object.assign(
        seen,
        thrown instanceof CodedError
          ? { code: thrown.reason.code, message: thrown.reason.message, done: true }
          : { code: String(thrown), done: true },
      ),
  );
  return seen;
}
