/** Frames between nodes: what goes in comes out, and nothing else gets in. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { reason } from '../../../protocols/errors.ts';
import { encodePlain } from '../../../protocols/wire/codec.ts';
import {
  commonVersion,
  decodeFrame,
  encodeFrame,
  frameOverheadBytes,
  type Frame,
} from '../../../protocols/wire/frames.ts';
import { reasonTold, tellReason } from '../../../protocols/wire/told-reason.ts';

const because = reason('HM-STORE-LEASE', 'over', { lease: '9', n: 3, yes: true });
const body = new Uint8Array([1, 2, 3]);

const frames: readonly Frame[] = [
  { kind: 'hello', versions: [1, 4], boot: 7, life: 'abcd', dial: 3, now: 1_767_225_600_000 },
  { kind: 'welcome', version: 2, boot: 7, life: 'abcd', dial: 0, now: 0 },
  { kind: 'bye', why: 'duplicate', because },
  { kind: 'request', id: 2 ** 32 - 1, type: 'store.txn', body },
  { kind: 'answer', id: 1, body: new Uint8Array(0) },
  { kind: 'refusal', id: 1, because },
  { kind: 'tell', type: 'store.told', body },
  { kind: 'cancel', id: 1 },
  { kind: 'ping', count: 1 },
  { kind: 'pong', count: 1 },
];

const most = 4_096;

describe('a frame', () => {
  test.each(frames.map((frame) => [frame.kind, frame] as const))('%s comes out as it went in', (_, frame) => {
    expect(decodeFrame(encodeFrame(frame), most)).toEqual(frame);
  });

  test('of a newer greeting is understood, whatever it says besides', () => {
    const newer = encodePlain([0, 3, 9, 7, 'abcd', 1, 5, 'more', { and: 'more' }], most);
    expect(decodeFrame(newer, most)).toMatchObject({ kind: 'hello', versions: [3, 9] });
  });

  test.each([
    ['nothing', new Uint8Array(0)],
    ['no array', encodePlain({ kind: 'hello' }, most)],
    ['an unknown kind', encodePlain([10, 1], most)],
    ['too few values', encodePlain([3, 1], most)],
    ['too many', encodePlain([8, 1, 2], most)],
    ['a negative number', encodePlain([7, -1], most)],
    ['versions the wrong way round', encodePlain([0, 3, 2, 1, 'a', 1, 5], most)],
    ['a type that is too long', encodePlain([6, 'x'.repeat(65), body], most)],
    ['a body that is text', encodePlain([6, 'store.told', 'text'], most)],
    ['a refusal without a reason', encodePlain([5, 1, ['HM-INTERNAL']], most)],
  ])('is not made of %s', (_, bytes) => {
    expect(decodeFrame(bytes, most)).toBeUndefined();
  });

  test('longer than it may be is not looked at', () => {
    const long = encodeFrame({ kind: 'tell', type: 'a.b', body: new Uint8Array(most) });
    expect(decodeFrame(long, most)).toBeUndefined();
    expect(decodeFrame(long, most + frameOverheadBytes)).toBeDefined();
  });
});

test('any reason fits, and comes out as one', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 5_000 }),
      fc.dictionary(
        fc.string({ maxLength: 80 }),
        fc.oneof(fc.string({ maxLength: 600 }), fc.integer(), fc.boolean()),
      ),
      (message, evidence) => {
        const told = reasonTold(tellReason(reason('HM-INTERNAL', message, evidence)));
        expect(told?.code).toBe('HM-INTERNAL');
        expect(told!.message.length).toBeLessThanOrEqual(2_048);
        const frame: Frame = { kind: 'refusal', id: 1, because: told! };
        expect(decodeFrame(encodeFrame(frame), 100_000)).toEqual(frame);
      },
    ),
    { numRuns: 100 },
  );
});

test('a code that this version does not know is a refusal that names it', () => {
  expect(reasonTold(['HM-FROM-TOMORROW', 'no', 'wait', {}])).toMatchObject({
    code: 'HM-PEER-REFUSED',
    message: 'HM-FROM-TOMORROW: no',
    hint: 'wait',
  });
});

test.each([
  [[1, 1], [1, 1], 1],
  [[1, 3], [2, 5], 3],
  [[4, 9], [2, 4], 4],
  [[1, 1], [2, 3], undefined],
  [[5, 6], [2, 3], undefined],
] as const)('versions %j and %j have %s in common', (ours, theirs, common) => {
  expect(commonVersion(ours, theirs)).toBe(common);
});
