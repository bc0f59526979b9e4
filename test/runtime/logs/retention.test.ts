/** Logs of slots that are gone: kept for a while, within bounds, over restarts of the daemon. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { limits } from '../../../protocols/limits.ts';
import { beyondBounds, openRetention, type Retention } from '../../../runtime/logs/retention.ts';
import { HeapClock } from '../../../runtime/world/heap-clock.ts';
import { until } from '../../kit/until.ts';

const runsDir = mkdtempSync(join(tmpdir(), 'hivemind-retention-'));
afterAll(() => rmSync(runsDir, { recursive: true, force: true }));
const clock = new HeapClock();
const folder = (slot: string): string => join(runsDir, encodeURIComponent(slot));
const here = (slot: string): boolean => existsSync(folder(slot));
/** As a life of the daemon has it. */
const lives: Retention[] = [];
const life = async (): Promise<Retention> => {
  lives.splice(0).forEach((before) => before.close());
  const next = await openRetention({
    clock,
    runsDir,
    rest: () => undefined,
    remove: async (slot) => rmSync(folder(slot), { recursive: true }),
  });
  lives.push(next);
  return next;
};
const made = (slot: string): string => {
  mkdirSync(join(folder(slot), '1.1'), { recursive: true });
  writeFileSync(join(folder(slot), '1.1', 'stdout'), 'said\n');
  return slot;
};

it('stay until they are old, also when the daemon starts anew; one that is back stays for good', async () => {
  const [gone, back, never] = [made('shop/web.1'), made('shop/web.2'), made('shop/web.3')];
  await (await life()).retire(gone);
  await (await life()).retire(back);
  await (await life()).retire('shop/said.nothing');
  await clock.advance(limits.logRetiredMs);
  const present = await life();
  expect([gone, back, never].map(here)).toEqual([true, true, true]);
  await present.revive(back);
  await clock.advance(limits.logSweepMs);
  await until('the old one is gone', () => !here(gone));
  expect([gone, back, never].map(here)).toEqual([false, true, true]);
});

it('are bounded in number and bytes: the oldest go', () => {
  const many = Array.from({ length: limits.logRetiredSlots + 2 }, (_, at) => ({
    slot: `s${at}`,
    at,
    bytes: 1,
  }));
  expect(beyondBounds(many, many.length).map(({ slot }) => slot)).toEqual(['s0', 's1']);
  const large = [1, 2, 3].map((at) => ({ slot: `s${at}`, at, bytes: limits.logRetiredBytes / 2 }));
  expect(beyondBounds(large, 4).map(({ slot }) => slot)).toEqual(['s1']);
});
