/** Whatever the disk loses at whatever moment: acknowledged appends are there, and every append is there whole or not at all. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { limits } from '../../../../protocols/limits.ts';
import { CodedError } from '../../../../protocols/errors.ts';
import { openJournal, type OpenedJournal } from '../../../../runtime/drivers/journal/journal.ts';
import { HeapClock, turn } from '../../../../runtime/world/heap-clock.ts';
import { seededRandom } from '../../../../runtime/world/seeded-random.ts';
import { LosingDisk } from './losing-disk.ts';

const path = '/d/journal';
const call = { key: 'k', signal: new AbortController().signal };

interface Boot {
  /** Appends that are made together before the next group, each of so many bytes. */
  readonly groups: readonly (readonly number[])[];
  /** The call at which the power goes. */
  readonly calls: number;
  readonly space: number | undefined;
  readonly syncs: number | undefined;
}

const boot: fc.Arbitrary<Boot> = fc.record({
  groups: fc.array(fc.array(fc.constantFrom(10, 200, 30_000, 400_000), { minLength: 1, maxLength: 4 }), {
    maxLength: 6,
  }),
  calls: fc.nat({ max: 40 }),
  space: fc.option(fc.nat({ max: 1_000_000 }), { nil: undefined, freq: 2 }),
  syncs: fc.option(fc.nat({ max: 6 }), { nil: undefined, freq: 2 }),
});

type Entries = Record<string, unknown>;

/** What append `i` writes: its own mark, a key that all share, a key of its own that append `i + 3` deletes. */
function entriesOf(i: number, bytes: number): Entries {
  return {
    [`mark/${i}`]: i,
    shared: { i, fill: 'x'.repeat(bytes) },
    [`own/${i}`]: i,
    [`own/${i - 3}`]: undefined,
  };
}

/** The map that these appends make, in their order. */
function replay(appends: readonly Entries[], present: ReadonlySet<number>): Entries {
  const map: Entries = {};
  for (const i of [...present].sort((a, b) => a - b)) {
    for (const [key, value] of Object.entries(appends[i]!)) {
      if (value === undefined) delete map[key];
      else map[key] = value;
    }
  }
  return map;
}

/** Runs the clock until the promise settles; deferred work is all that the journal asks of it. */
async function finish<Value>(clock: HeapClock, promise: Promise<Value>): Promise<Value> {
  let settled = false;
  const done = (): boolean => (settled = true);
  promise.then(done, done);
  while (!settled) {
    clock.step(0);
    await turn();
  }
  return promise;
}

class History {
  readonly appends: Entries[] = [];
  readonly acknowledged = new Set<number>();

  async live(opened: OpenedJournal, clock: HeapClock, groups: Boot['groups']): Promise<void> {
    for (const group of groups) {
      const answers = group.map(async (bytes) => {
        const i = this.appends.length;
        this.appends.push(entriesOf(i, bytes));
        try {
          await opened.journal.append({ entries: this.appends[i]! }, call);
          this.acknowledged.add(i);
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      });
      await finish(clock, Promise.all(answers));
    }
  }

  check(entries: Entries): void {
    const present = new Set(
      Object.keys(entries).flatMap((key) => (key.startsWith('mark/') ? [Number(key.slice(5))] : [])),
    );
    expect([...this.acknowledged].filter((i) => !present.has(i))).toEqual([]);
    expect(entries).toEqual(replay(this.appends, present));
    // What survived unacknowledged is part of the past from now on.
    for (const i of present) this.acknowledged.add(i);
  }
}

test('every acknowledged append survives, all or none of each', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(boot, { minLength: 1, maxLength: 4 }), fc.nat(), async (boots, seed) => {
      const disk = new LosingDisk(seededRandom(seed));
      const clock = new HeapClock();
      const history = new History();
      for (const { groups, calls, space, syncs } of boots) {
        disk.callsLeft = calls;
        disk.spaceLeft = space ?? Infinity;
        disk.syncsLeft = syncs ?? Infinity;
        const opened = await openJournal({ disk, clock, path }).catch((error: unknown) => error);
        if (opened instanceof CodedError) expect(opened.reason.code).toBe('HM-DATA-DIR');
        else await history.live(opened as OpenedJournal, clock, groups);
        disk.crash();
        const after = await openJournal({ disk, clock, path });
        for (const { code } of after.recovered) expect(code).toBe('HM-JOURNAL-TORN');
        history.check((await after.journal.read({ prefix: '' }, call)).entries);
        await after.close();
        disk.crash();
      }
    }),
    { numRuns: 400 },
  );
});

test('compaction happens under these crashes: the file stays within its bound', async () => {
  const disk = new LosingDisk(seededRandom(1));
  const clock = new HeapClock();
  const opened = await openJournal({ disk, clock, path });
  const value = 'x'.repeat(100_000);
  for (let i = 0; i < 100; i++) {
    await finish(clock, opened.journal.append({ entries: { key: `${i}${value}` } }, call));
    expect(disk.size(path)).toBeLessThan(limits.journalCompactBytes + 200_000);
  }
  await opened.close();
  disk.crash();
  const again = await openJournal({ disk, clock, path });
  expect((await again.journal.read({ prefix: '' }, call)).entries).toEqual({ key: `99${value}` });
});
