/** The journal on a real disk and on a bad one: group commit, damage, a full disk. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { limits } from '../../../../protocols/limits.ts';
import { createFileDisk } from '../../../../runtime/drivers/journal/disk.ts';
import {
  damagedJournals,
  openJournal,
  type OpenedJournal,
} from '../../../../runtime/drivers/journal/journal.ts';
import { HeapClock, turn } from '../../../../runtime/world/heap-clock.ts';
import { seededRandom } from '../../../../runtime/world/seeded-random.ts';
import { journalConformance } from '../../../conformance/journal.ts';
import { LosingDisk } from './losing-disk.ts';

const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true })));

journalConformance('file disk', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hivemind-journal-'));
  folders.push(folder);
  return { disk: createFileDisk(), folder };
});
journalConformance('losing disk', async () => ({ disk: new LosingDisk(seededRandom(1)), folder: '/d' }));

const path = '/d/journal';
const call = { key: 'k', signal: new AbortController().signal };

class Bench {
  readonly disk = new LosingDisk(seededRandom(1));
  readonly clock = new HeapClock();
  opened!: OpenedJournal;

  async open(): Promise<this> {
    this.opened = await openJournal({ disk: this.disk, clock: this.clock, path });
    return this;
  }

  async append(entries: Record<string, unknown>): Promise<void> {
    let settled = false;
    const done = (): boolean => (settled = true);
    const answer = this.opened.journal.append({ entries }, call);
    answer.then(done, done);
    while (!settled) {
      this.clock.step(0);
      await turn();
    }
    await answer;
  }

  async reopen(): Promise<string[]> {
    await this.opened.close();
    await this.open();
    return this.opened.recovered.map(({ code }) => code);
  }

  async entries(): Promise<Record<string, unknown>> {
    return (await this.opened.journal.read({ prefix: '' }, call)).entries;
  }
}

const fresh = (): Promise<Bench> => new Bench().open();

test('appends that meet share one sync', async () => {
  const bench = await fresh();
  const before = bench.disk.syncs;
  await Promise.all(Array.from({ length: 50 }, (_, i) => bench.append({ [`k${i}`]: i })));
  expect(bench.disk.syncs - before).toBe(1);
  expect(Object.keys(await bench.entries())).toHaveLength(50);
});

test('a journal with as many entries as it may have takes changes and deletes, and no more', async () => {
  const bench = await fresh();
  const most = Array.from({ length: limits.journalEntries }, (_, i) => [`k${i}`, i] as const);
  await bench.append(Object.fromEntries(most));
  await expect(bench.append({ more: 1 })).rejects.toMatchObject({ reason: { code: 'HM-JOURNAL-LIMIT' } });
  await bench.append({ k1: 'changed', k2: undefined });
  await bench.append({ more: 1 });
  expect(Object.keys(await bench.entries())).toHaveLength(limits.journalEntries);
});

describe('damage', () => {
  const three = async (): Promise<Bench> => {
    const bench = await fresh();
    for (const key of ['a', 'b', 'c']) await bench.append({ [key]: key.repeat(20) });
    return bench;
  };
  const values = (keys: string): Record<string, string> =>
    Object.fromEntries([...keys].map((key) => [key, key.repeat(20)]));

  test('an end cut off in the middle of a record is torn, and mended for good', async () => {
    const bench = await three();
    bench.disk.damage(path, (bytes) => bytes.subarray(0, -7));
    expect(await bench.reopen()).toEqual(['HM-JOURNAL-TORN']);
    expect(await bench.entries()).toEqual(values('ab'));
    await bench.append({ d: 1 });
    expect(await bench.reopen()).toEqual([]);
    expect(await bench.entries()).toEqual({ ...values('ab'), d: 1 });
    expect(bench.disk.names()).toEqual([path]);
  });

  test('an end of zeros is torn', async () => {
    const bench = await three();
    bench.disk.damage(path, (bytes) => Buffer.concat([bytes, Buffer.alloc(4_096)]));
    expect(await bench.reopen()).toEqual(['HM-JOURNAL-TORN']);
    expect(await bench.entries()).toEqual(values('abc'));
  });

  test.each([
    ['in the middle', 'b', 'ac'],
    ['at the beginning, of the first record', '', 'abc'],
  ])('damage %s leaves the rest, is told, and is kept', async (_name, where, left) => {
    const bench = await three();
    bench.disk.damage(path, (bytes) => {
      const at = where === '' ? 5 : bytes.indexOf(where.repeat(20));
      bytes[at]! ^= 0x40;
      return bytes;
    });
    expect(await bench.reopen()).toEqual(['HM-JOURNAL-CORRUPT']);
    expect(await bench.entries()).toEqual(values(left));
    const kept = bench.opened.recovered[0]!.evidence['kept'];
    expect(await damagedJournals(bench.disk, path)).toEqual([kept]);
    expect(bench.disk.size(kept as string)).toBeGreaterThan(100);
    expect(await bench.reopen()).toEqual([]);
    expect(await bench.entries()).toEqual(values(left));
  });

  test.each([
    ['an empty file', (): Buffer => Buffer.alloc(0)],
    ['text', (): Buffer => Buffer.from('not a journal\n'.repeat(1_000))],
    ['a cut first record', (bytes: Buffer): Buffer => bytes.subarray(0, 9)],
  ])('%s: nothing is readable, and that is told', async (_name, mend) => {
    const bench = await three();
    bench.disk.damage(path, mend);
    expect(await bench.reopen()).toEqual(['HM-JOURNAL-CORRUPT']);
    expect(await bench.entries()).toEqual({});
    await bench.append({ a: 1 });
    expect(await bench.reopen()).toEqual([]);
    expect(await bench.entries()).toEqual({ a: 1 });
  });

  test('a crash at any call of the mending changes nothing about its result', async () => {
    for (let calls = 1; calls < 12; calls++) {
      const bench = await three();
      bench.disk.damage(path, (bytes) => {
        bytes[bytes.indexOf('b'.repeat(20))]! ^= 1;
        return bytes;
      });
      await bench.opened.close();
      bench.disk.callsLeft = calls;
      await bench.open().catch(() => undefined);
      bench.disk.crash();
      await bench.open();
      expect(await bench.entries()).toEqual(values('ac'));
    }
  });
});

describe('a full disk', () => {
  test('refuses appends with its code, keeps answering reads, and heals', async () => {
    const bench = await fresh();
    await bench.append({ a: 1 });
    bench.disk.spaceLeft = 20;
    await expect(bench.append({ b: 'x'.repeat(100) })).rejects.toMatchObject({
      reason: { code: 'HM-DISK-FULL' },
    });
    await expect(bench.append({ c: 1 })).rejects.toMatchObject({ reason: { code: 'HM-DISK-FULL' } });
    expect(await bench.entries()).toEqual({ a: 1 });
    bench.disk.spaceLeft = Infinity;
    await bench.append({ d: 1 });
    expect(await bench.reopen()).toEqual([]);
    expect(await bench.entries()).toEqual({ a: 1, d: 1 });
  });

  test('does not stop a damaged journal from being read; it is kept and mended once there is space', async () => {
    const bench = await fresh();
    await bench.append({ a: 1 });
    await bench.append({ b: 'b'.repeat(20) });
    await bench.append({ c: 1 });
    bench.disk.damage(path, (bytes) => {
      bytes[bytes.indexOf('b'.repeat(20))]! ^= 1;
      return bytes;
    });
    bench.disk.spaceLeft = 0;
    expect(await bench.reopen()).toEqual(['HM-JOURNAL-CORRUPT', 'HM-DISK-FULL']);
    expect(await bench.entries()).toEqual({ a: 1, c: 1 });
    bench.disk.spaceLeft = Infinity;
    await bench.append({ d: 1 });
    expect(await bench.reopen()).toEqual([]);
    expect(await bench.entries()).toEqual({ a: 1, c: 1, d: 1 });
    expect(await damagedJournals(bench.disk, path)).toHaveLength(1);
  });

  test('a failed sync is never believed afterwards', async () => {
    const bench = await fresh();
    await bench.append({ a: 1 });
    bench.disk.syncsLeft = 0;
    await expect(bench.append({ b: 1 })).rejects.toMatchObject({ reason: { code: 'HM-DATA-DIR' } });
    bench.disk.syncsLeft = Infinity;
    await bench.append({ c: 1 });
    bench.disk.crash();
    await bench.open();
    expect(await bench.entries()).toEqual({ a: 1, c: 1 });
  });
});
