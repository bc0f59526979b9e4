/**
 * What a node of the cluster may be sent by another that has lost its mind, or was taken over: every frame is understood
 * or refused, nothing throws, no handler is given what its catalogue row does not allow, and nothing of it stays.
 */
import { isDeepStrictEqual } from 'node:util';
import { reason } from '../../../protocols/errors.ts';
import type { Calls } from '../../../protocols/wire/calls.ts';
import { decodeFrame, encodeFrame } from '../../../protocols/wire/frames.ts';
import { HeapClock } from '../../../runtime/world/heap-clock.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import { createCalls } from '../../../transport/calls/calls.ts';
import {
  streamFrameBytes,
  type StreamConnection,
  type StreamEars,
  type StreamLink,
} from '../../../transport/stream-link.ts';
import { types } from '../../kit/cluster/calls-rig.ts';
import type { Outcome } from '../target.ts';
import { good, pick, spoiled } from './mutate.ts';

/** Most seeds are one frame; every so many are a conversation with a node that goes on living. */
const conversations = 8;

export function fuzzFrames(seed: number): Outcome {
  try {
    return seed % conversations === 0 ? converse(seed) : decode(seed);
  } catch (thrown) {
    return { outcome: 'thrown', finding: String((thrown as Error).stack) };
  }
}

function decode(seed: number): Outcome {
  const bytes = spoiled(seededRandom(seed));
  const frame = decodeFrame(bytes, streamFrameBytes);
  if (frame === undefined) return { outcome: 'refused' };
  const again = decodeFrame(encodeFrame(frame), streamFrameBytes);
  // A code of another version is told under a name of this one, and stays so.
  if (!isDeepStrictEqual(again, frame))
    return { outcome: frame.kind, finding: `${frame.kind} changes when passed on` };
  return { outcome: frame.kind };
}

// -- a node that is talked to -----------------------------------------------------------------------

const clock = new HeapClock();
const findings: string[] = [];
let accept: (connection: StreamConnection) => void = () => {};
const victim: Calls = livingNode();

function livingNode(): Calls {
  const link: StreamLink = {
    address: { host: '10.0.0.1', port: 4_484 },
    counts: { dialled: 0, accepted: 0, refused: {} },
    accept: (notify) => (accept = notify),
    dial: () => new Promise(() => {}),
    close: async () => {},
  };
  const self = { id: 'a'.repeat(32), name: 'victim', role: 'server', boot: 1 } as const;
  const calls = createCalls({ self, link, clock, random: seededRandom(1), types });
  calls.on('test.ask', (_, body) => body);
  calls.on('test.tell', () => {});
  for (const type of ['test.rule', 'test.order'])
    calls.on(type, ({ role }) => void (role === 'server' || findings.push(`an agent was let in to ${type}`)));
  return calls;
}

function converse(seed: number): Outcome {
  const random = seededRandom(seed);
  let ears: StreamEars | undefined;
  let answered = 0;
  let ended = 0;
  const digit = pick(random, ['b', 'c', 'd']);
  accept({
    peer: { id: digit.repeat(32), name: `n${digit}`, role: 'agent' },
    waiting: 0,
    hear: (given) => (ears = given),
    send: (frame) => {
      answered += 1;
      if (decodeFrame(frame, streamFrameBytes) === undefined) findings.push('the answer is no frame');
    },
    pause: () => {},
    resume: () => {},
    close: () => (ended += 1),
  });
  const hello = { ...good[0]!, life: `l${seed}`, now: Math.round(clock.now()) };
  ears!.frame(random.next() < 0.1 ? spoiled(random) : encodeFrame(hello as (typeof good)[0]));
  for (let said = 0; said < 6; said += 1)
    ears!.frame(random.next() < 0.3 ? encodeFrame(pick(random, good.slice(3))) : spoiled(random));
  ears!.ended(reason('HM-PEER-UNREACHABLE', 'over'));
  while (clock.step(0));
  if (ended > 2) findings.push('the connection was closed again and again');
  return { outcome: `conversation of ${Math.min(answered, 9)} answers`, ...remains() };
}

/** Nothing of a conversation stays but three peers' figures. */
function remains(): { finding?: string } {
  const conditions = victim.conditions();
  if (conditions.length > 3 || clock.timers > 64) findings.push('something of it stays');
  for (const { open, queuedFrames, answering, asking } of conditions)
    if (open || queuedFrames + answering + asking > 0) findings.push('a connection that ended is held');
  const [finding] = findings.splice(0);
  return finding === undefined ? {} : { finding };
}
