/** The conformance suite of `Journal`: run on the machine's own disk and on simulated ones. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../protocols/limits.ts';
import type { Disk } from '../../runtime/drivers/journal/disk.ts';
import { openJournal, type OpenedJournal } from '../../runtime/drivers/journal/journal.ts';
import { HeapClock, turn } from '../../runtime/world/heap-clock.ts';

const call = { key: 'k', signal: new AbortController().signal };

/** A fresh folder on the disk under test. */
export type JournalArm = () => Promise<{ readonly disk: Disk; readonly folder: string }>;

/** An append whose deferred work is done for it. */
async function append(
  clock: HeapClock,
  opened: OpenedJournal,
  entries: Record<string, unknown>,
): Promise<void> {
  let settled = false;
  const done = (): boolean => (settled = true);
  const answer = opened.journal.append({ entries }, call);
  answer.then(done, done);
  while (!settled) {
    clock.step(0);
    await turn();
  }
  await answer;
}

async function all(opened: OpenedJournal, prefix = ''): Promise<Record<string, unknown>> {
  return (await opened.journal.read({ prefix }, call)).entries;
}

export function journalConformance(name: string, arm: JournalArm): void {
  const clock = new HeapClock();
  const setUp = async (): Promise<() => Promise<OpenedJournal>> => {
    const { disk, folder } = await arm();
    return () => openJournal({ disk, clock, path: `${folder}/journal` });
  };
  describe(`journal: ${name}`, () => {
    test('what was appended is there, also after a reopen', async () => {
      const open = await setUp();
      const first = await open();
      expect(first.recovered).toEqual([]);
      expect(await all(first)).toEqual({});
      await append(clock, first, { 'a/1': { list: [1, null] }, 'a/2': 'two', b: new Uint8Array([1, 2]) });
      await append(clock, first, { 'a/2': undefined, 'a/3': 3 });
      const wanted = { 'a/1': { list: [1, null] }, 'a/3': 3 };
      expect(await all(first, 'a/')).toEqual(wanted);
      await first.close();
      const again = await open();
      expect(again.recovered).toEqual([]);
      expect(await all(again)).toEqual({ ...wanted, b: new Uint8Array([1, 2]) });
      await again.close();
    });

    test('nothing is shared with who wrote or read', async () => {
      const opened = await (await setUp())();
      const value = { list: [1] };
      const written = append(clock, opened, { a: value });
      value.list.push(2);
      await written;
      ((await all(opened))['a'] as typeof value).list.push(3);
      expect(await all(opened)).toEqual({ a: { list: [1] } });
      await opened.close();
    });

    test.each<[string, Record<string, unknown>]>([
      ['a function', { a: () => 1 }],
      ['too much', { a: new Uint8Array(limits.journalRecordBytes) }],
      ['half a character', { 'a\ud83d': 1 }],
    ])('%s is refused, alone', async (_name, entries) => {
      const opened = await (await setUp())();
      const good = append(clock, opened, { good: 1 });
      await expect(append(clock, opened, { ...entries, b: 1 })).rejects.toMatchObject({
        reason: { code: 'HM-JOURNAL-LIMIT' },
      });
      await good;
      expect(await all(opened)).toEqual({ good: 1 });
      await opened.close();
    });

    test('a closed journal takes nothing', async () => {
      const opened = await (await setUp())();
      await opened.close();
      await expect(append(clock, opened, { a: 1 })).rejects.toMatchObject({
        reason: { code: 'HM-DATA-DIR' },
      });
    });
  });
}
