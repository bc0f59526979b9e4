/** Times beside logs: written and read back, covering every byte, thinned without telling a lie. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatStamp,
  keptFrom,
  parseStamps,
  stampOf,
  stampsOf,
  thinStamps,
  type Stamp,
} from '../../../runtime/logs/stamps.ts';

const stamp = fc.record(
  {
    stream: fc.constantFrom('stdout' as const, 'stderr' as const),
    end: fc.nat(1_000_000),
    at: fc.nat(2_000_000_000),
    untilAt: fc.nat(2_000_000_000),
    dropped: fc.constant(true as const),
  },
  { requiredKeys: ['stream', 'end', 'at'] },
);

it('are read back as they were written', () => {
  fc.assert(
    fc.property(fc.array(stamp), (stamps) => {
      expect(parseStamps(stamps.map(formatStamp).join(''))).toEqual(stamps);
    }),
  );
});

it('a torn line is skipped, and so is anything else that is no stamp', () => {
  expect(parseStamps('o 10 5\ne 7')).toEqual([{ stream: 'stdout', end: 10, at: 5 }]);
  expect(parseStamps('x 1 2\no 1\no 1 2 3 4\n\no -1 2\ne 3 4\n')).toEqual([
    { stream: 'stderr', end: 3, at: 4 },
  ]);
});

it('cover the bytes before them; newer bytes than any have the last', () => {
  const stamps = parseStamps('o 10 100\ne 99 150\no 20 200\nO 5 300\no 30 400 500\n');
  const at = (end: number) => stampOf(stampsOf(stamps, 'stdout'), end)?.at;
  expect([1, 10, 11, 20, 21, 30, 31].map(at)).toEqual([100, 100, 200, 200, 400, 400, 400]);
  expect(stampOf(stampsOf(stamps, 'stdout'), 25)).toMatchObject({ untilAt: 500 });
  expect(stampOf([], 1)).toBeUndefined();
  expect([keptFrom(stamps, 'stdout'), keptFrom(stamps, 'stderr')]).toEqual([5, 0]);
});

describe('thinned', () => {
  const written = fc
    .array(
      fc.record({
        stream: stamp.map(({ stream }) => stream),
        bytes: fc.integer({ min: 1, max: 9 }),
        ms: fc.nat(9),
      }),
      {
        maxLength: 60,
      },
    )
    .map((parts) => {
      const ends = { stdout: 0, stderr: 0 };
      let at = 1;
      return parts.map(({ stream, bytes, ms }): Stamp => ({
        stream,
        end: (ends[stream] += bytes),
        at: (at += ms),
      }));
    });

  it('every byte keeps its instant or gets a range around it, and the newest their instants', () => {
    fc.assert(
      fc.property(written, fc.nat(20), fc.integer({ min: 1, max: 3 }), (stamps, exact, times) => {
        let thinned: readonly Stamp[] = stamps;
        for (let time = 0; time < times; time++) thinned = thinStamps(thinned, exact);
        for (const one of stamps) {
          const told = stampOf(stampsOf(thinned, one.stream), one.end)!;
          expect(told.at).toBeLessThanOrEqual(one.at);
          expect(told.untilAt ?? told.at).toBeGreaterThanOrEqual(one.at);
        }
        expect(thinned.slice(thinned.length - Math.min(exact, stamps.length))).toEqual(
          stamps.slice(stamps.length - Math.min(exact, stamps.length)),
        );
        expect(thinStamps(stamps, 0).length).toBeLessThanOrEqual(Math.ceil(stamps.length / 2) + 1);
      }),
    );
  });

  it('marks of rotation stay', () => {
    const stamps = parseStamps('O 5 1\no 10 2\no 20 3\n');
    expect(keptFrom(thinStamps(stamps, 0), 'stdout')).toBe(5);
  });
});
