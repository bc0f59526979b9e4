/** How much of a log is kept, as the service says it, on real files; and reading on behind a line's place. */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, test } from 'vitest';
import type { LoggingSettings } from '../../../protocols/apps/service-model.ts';
import { limits } from '../../../protocols/limits.ts';
import { createLogStore, type ManagedLogs } from '../../../runtime/logs/log-store.ts';
import { cutAt, keptBytes } from '../../../runtime/logs/rotation.ts';
import { keptFrom, readStamps, type Stream } from '../../../runtime/logs/stamps.ts';
import type { LogLine } from '../../../runtime/node-handle.ts';
import { realClock } from '../../../runtime/world/real-clock.ts';
import { until } from '../../kit/until.ts';

const mb = 1_048_576;
const ten: LoggingSettings = { maxSizeBytes: 10 * mb, maxFiles: 2 };

test.each<[string, LoggingSettings, number]>([
  ['nothing said: the node’s own bound', {}, limits.logFileBytes * limits.logFiles],
  ['a size alone is one file', { maxSizeBytes: mb }, mb],
  ['files alone are of our size', { maxFiles: 2 }, 2 * limits.logFileBytes],
  ['both', ten, 20 * mb],
  ['none', { driver: 'none', maxSizeBytes: mb }, 0],
])('%s', (_name, settings, bytes) => expect(keptBytes(settings)).toBe(bytes));

test.each<[string, LoggingSettings, number, number, number | undefined]>([
  ['as much as is kept', ten, 0, 20 * mb, undefined],
  ['beyond it, a quarter of it goes', ten, 0, 20 * mb + 1, 5 * mb + 1],
  ['what is gone does not count', ten, 5 * mb, 25 * mb, undefined],
  ['a tiny bound is not asked for at every line', { maxSizeBytes: 1_000 }, 0, mb, undefined],
  ['… but at every step', { maxSizeBytes: 1_000 }, 0, mb + 1_000, mb + 250],
  ['none: everything', { driver: 'none' }, 5, 7, 7],
  ['none: nothing new', { driver: 'none' }, 7, 7, undefined],
])('%s', (_name, settings, kept, end, cut) => expect(cutAt(settings, kept, end)).toBe(cut));

const slot = 'shop/web.1';
let folder: string;
let logs: ManagedLogs;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hivemind-rotation-'));
  logs = createLogStore(realClock);
});
afterEach(() => {
  logs.close();
  rmSync(folder, { recursive: true });
});

async function track(run: string, logging?: LoggingSettings) {
  const own = join(folder, run);
  mkdirSync(own, { recursive: true });
  for (const stream of ['stdout', 'stderr']) appendFileSync(join(own, stream), '');
  await logs.track({ slot, run, folder: own, ...(logging ? { logging } : {}) });
  return {
    path: (stream: Stream) => join(own, stream),
    say: (text: string, stream: Stream = 'stdout') => appendFileSync(join(own, stream), text),
    stamped: (end: number, of: Stream = 'stdout') =>
      until(`${end} bytes have a time`, async () =>
        (await readStamps(join(own, 'stamps'))).some((stamp) => stamp.stream === of && stamp.end >= end),
      ),
    kept: async () => keptFrom(await readStamps(join(own, 'stamps')), 'stdout'),
  };
}
const texts = (lines: readonly LogLine[]) => lines.map(({ text }) => text);

it('gives back the disk of old lines, moves no offset, and goes by it in the next life too', async () => {
  const run = await track('1.1', { maxSizeBytes: mb, maxFiles: 4 });
  const line = `${'x'.repeat(1_000)}\n`;
  let size = 0;
  const write = async (lines: number) => {
    run.say(line.repeat(lines));
    size += lines * line.length;
    await run.stamped(size);
  };
  for (let nth = 0; nth < 6; nth++) await write(1_000);
  const first = await until('old lines are given back', run.kept);
  expect(first % line.length).toBe(0);
  expect(statSync(run.path('stdout')).size).toBe(size);
  expect(statSync(run.path('stdout')).blocks * 512).toBeLessThanOrEqual(4 * mb + 65_536);
  expect(texts(await logs.read({ slot, tail: 100_000 }))).toEqual(
    Array.from({ length: (size - first) / line.length }, () => line.trimEnd()),
  );
  logs.close();
  logs = createLogStore(realClock);
  const heard: string[] = [];
  logs.follow({ slot, tail: 0 }, ({ text }) => void heard.push(text));
  const again = await track('1.1');
  for (let nth = 0; nth < 4; nth++) await write(1_000);
  await until('more is given back', async () => (await again.kept()) > first);
  again.say('last\n');
  await until('what is new is heard', () => heard.at(-1) === 'last');
  expect(heard.every((text) => !text.includes('\0'))).toBe(true);
});

it('keeps nothing of a service that wants none, and says so; of the run before it what there is', async () => {
  (await track('1.1')).say('before\n');
  expect(logs.isMute(slot)).toBe(false);
  const run = await track('1.2', { driver: 'none' });
  run.say('from a terminal\n');
  await until('it is gone', async () => (await run.kept()) === 16);
  expect(logs.isMute(slot)).toBe(true);
  expect(texts(await logs.read({ slot, tail: 9, previous: true }))).toEqual(['before']);
});

it('goes on behind any line’s place: what follows it, each once, over streams and runs', async () => {
  const one = await track('1.1');
  const all: string[] = [];
  let [out, err] = [0, 0];
  for (let nth = 0; nth < 20; nth++) {
    const stream = nth % 3 === 0 ? 'stderr' : 'stdout';
    one.say(`line ${nth}\n`, stream);
    all.push(`line ${nth}`);
    if (stream === 'stdout') await one.stamped((out += `line ${nth}\n`.length));
    else await one.stamped((err += `line ${nth}\n`.length), 'stderr');
  }
  one.say('last words');
  await one.stamped(out + 10);
  const two = await track('1.2');
  two.say('next\n');
  await two.stamped(5);
  const told = await logs.read({ slot, tail: 100 });
  expect(texts(told)).toEqual([...all, 'last words', 'next']);
  for (const [nth, { place }] of told.entries()) {
    const heard: LogLine[] = [];
    const stop = logs.follow({ slot, tail: 0, after: place }, (line) => void heard.push(line));
    const rest = texts(told).slice(nth + 1);
    await until(`all behind ${place} is heard`, () => heard.length >= rest.length);
    stop();
    expect(texts(heard)).toEqual(rest);
    // Words without a newline are a line when the next run begins.
    const times = (lines: readonly LogLine[]) =>
      lines.filter(({ text }) => text !== 'last words').map(({ at }) => at);
    expect(times(heard)).toEqual(times(told.slice(nth + 1)));
    expect(texts(await logs.read({ slot, tail: 100, after: place }))).toEqual(rest);
  }
});

it('says what it cannot read any more', async () => {
  const run = await track('1.2', { maxSizeBytes: mb });
  const line = `${'y'.repeat(1_000)}\n`;
  for (let nth = 1; nth <= 3; nth++) {
    run.say(line.repeat(1_000));
    await run.stamped(nth * 1_000 * line.length);
  }
  const kept = await until('old lines are given back', run.kept);
  const heard: string[] = [];
  const behind = line.length * 10;
  const stop = logs.follow({ slot, tail: 0, after: `1.2:${behind}:0` }, ({ text }) => void heard.push(text));
  await until('all is heard', () => heard.length > (3_000 * line.length - kept) / line.length);
  expect(heard[0]).toBe(`── ${kept - behind} bytes were rotated away before they were read ──`);
  expect(heard.slice(1).every((text) => text === line.trimEnd())).toBe(true);
  stop();
  const gone: LogLine[] = [];
  logs.follow({ slot, tail: 0, after: '1.1:7:0' }, (told) => void gone.push(told));
  await until('the lost run is told', () => gone.length > 1);
  expect(gone[0]).toMatchObject({
    text: '── run 1.1 is no longer kept, nor what came between ──',
    lost: true,
    at: gone[1]!.at,
  });
});

it('says so whatever lines are asked for', async () => {
  const run = await track('1.2', { maxSizeBytes: mb });
  const line = `${'y'.repeat(1_000)}\n`;
  for (let nth = 1; nth <= 3; nth++) {
    run.say(line.repeat(1_000));
    await run.stamped(nth * 1_000 * line.length);
  }
  await until('old lines are given back', run.kept);
  run.say('the needle\n');
  for (const choice of [{ grep: 'needle' }, { level: 'error' }, { since: 1e15 }, { until: 0 }] as const) {
    const heard: LogLine[] = [];
    const stop = logs.follow({ slot, tail: 0, after: '1.2:0:0', ...choice }, (told) => void heard.push(told));
    await until('it is told', () => heard.length > 0);
    expect(heard[0]).toMatchObject({ lost: true });
    if ('grep' in choice) await until('the needle is found', () => heard[1]?.text === 'the needle');
    stop();
  }
});
