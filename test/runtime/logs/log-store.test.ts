/** Logs of a slot over its runs, on real files: tails, following a writer, what came unwatched. */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createLogStore, type ManagedLogs } from '../../../runtime/logs/log-store.ts';
import { readStamps } from '../../../runtime/logs/stamps.ts';
import type { LogChoice } from '../../../runtime/logs/choice.ts';
import type { LogLine } from '../../../runtime/node-handle.ts';
import { turn } from '../../../runtime/world/heap-clock.ts';
import { realClock } from '../../../runtime/world/real-clock.ts';
import { until } from '../../kit/until.ts';

const slot = 'shop/web.1';
let folder: string;
let logs: ManagedLogs;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hivemind-logs-'));
  logs = createLogStore(realClock);
});
afterEach(() => {
  logs.close();
  rmSync(folder, { recursive: true });
});

function files(run: string): { folder: string; say(text: string, stream?: 'stdout' | 'stderr'): void } {
  const own = join(folder, run);
  mkdirSync(own, { recursive: true });
  for (const stream of ['stdout', 'stderr']) appendFileSync(join(own, stream), '');
  return { folder: own, say: (text, stream = 'stdout') => appendFileSync(join(own, stream), text) };
}
const track = async (run: string) => {
  const made = files(run);
  await logs.track({ slot, run, folder: made.folder });
  return made;
};
const texts = (lines: readonly LogLine[]) => lines.map(({ text }) => text);
const stamped = (run: string, end: number) =>
  until(`${end} bytes have a time`, async () =>
    (await readStamps(join(folder, run, 'stamps'))).some((stamp) => stamp.end >= end),
  );

it('what came while it is watched has an instant; what came before, a range', async () => {
  files('1.1').say('early\n');
  const before = realClock.now();
  const run = await track('1.1');
  run.say('late\n');
  await stamped('1.1', 11);
  const [early, late] = await logs.read({ slot, tail: 10 });
  expect(early).toMatchObject({ slot, run: '1.1', stream: 'stdout', text: 'early' });
  expect(early!.untilAt).toBeGreaterThanOrEqual(before);
  expect(early!.at).toBeLessThanOrEqual(early!.untilAt!);
  expect(late).toMatchObject({ text: 'late' });
  expect(late!.untilAt).toBeUndefined();
  expect(late!.at).toBeGreaterThanOrEqual(before);
});

it('lines of a daemon’s absence get the time of the absence', async () => {
  const run = await track('1.1');
  run.say('seen\n');
  await stamped('1.1', 5);
  const [seen] = await logs.read({ slot, tail: 1 });
  logs.close();
  run.say('unseen\n');
  logs = createLogStore(realClock);
  await track('1.1');
  const lines = await logs.read({ slot, tail: 10 });
  expect(texts(lines)).toEqual(['seen', 'unseen']);
  expect(lines[0]).toEqual(seen);
  expect(lines[1]!.at).toBe(seen!.at);
  expect(lines[1]!.untilAt).toBeGreaterThanOrEqual(seen!.at);
});

it('reads over runs, newest last, and forgets what is not kept', async () => {
  for (const run of ['1.2', '1.10', '2.1']) (await track(run)).say(`${run} a\n${run} b\n`);
  expect(texts(await logs.read({ slot, tail: 3 }))).toEqual(['1.10 b', '2.1 a', '2.1 b']);
  logs.forget(slot, ['2.1']);
  expect(texts(await logs.read({ slot, tail: 10 }))).toEqual(['2.1 a', '2.1 b']);
  logs.forget(slot, []);
  expect(await logs.read({ slot, tail: 10 })).toEqual([]);
});

it('follows a writer without gap or duplicate, also into the next run', async () => {
  const run = await track('1.1');
  const all = Array.from({ length: 2_000 }, (_, n) => `line ${n}`);
  run.say(all.slice(0, 3).join('\n') + '\n');
  await stamped('1.1', 21);
  // Has no time yet when following begins, and ends in the middle of a line.
  run.say('line 3\nli');
  const heard: string[] = [];
  const stop = logs.follow({ slot, tail: 2 }, ({ text }) => void heard.push(text));
  const rest = `ne 4\n${all.slice(5).join('\n')}\n`;
  for (let from = 0; from < rest.length; from += 37) {
    run.say(rest.slice(from, from + 37));
    // Sometimes the reader comes in between.
    if (from % 100 === 0) await turn();
  }
  await until('the last line is heard', () => heard.at(-1) === all.at(-1));
  expect(heard).toEqual(all.slice(1));
  const next = await track('1.2');
  next.say('next\n');
  await until('the next run is heard', () => heard.at(-1) === 'next');
  stop();
  next.say('after\n');
  await stamped('1.2', 11);
  expect(heard).toHaveLength(all.length);
});

it('a run whose files are gone is no error for the others', async () => {
  const run = await track('1.1');
  (await track('1.2')).say('still\n');
  rmSync(run.folder, { recursive: true });
  expect(texts(await logs.read({ slot, tail: 10 }))).toEqual(['still']);
});

it('chooses by words, level, time and run, over all that is kept', async () => {
  const first = await track('1.1');
  first.say('{"level":"error","msg":"it broke"}\nWARN old\n');
  await stamped('1.1', 44);
  const second = await track('1.2');
  second.say(
    '{"level":40,"msg":"hot"}\nlevel=info fine\n{"severity":"ERROR","message":"bad"}\nplain\n{no json\n',
  );
  await stamped('1.2', 90);
  const chosen = async (choice: LogChoice, tail = 10) => texts(await logs.read({ slot, tail, ...choice }));
  expect(await chosen({ grep: 'WARN|fine' })).toEqual(['WARN old', 'level=info fine']);
  expect(await chosen({ level: 'error' })).toEqual([
    '{"level":"error","msg":"it broke"}',
    '{"severity":"ERROR","message":"bad"}',
  ]);
  expect(await chosen({ level: 'warn' }, 2)).toEqual([
    '{"level":40,"msg":"hot"}',
    '{"severity":"ERROR","message":"bad"}',
  ]);
  expect(await chosen({ level: 'trace', grep: 'fine' })).toEqual(['level=info fine']);
  expect(await chosen({ previous: true, grep: 'old' })).toEqual(['WARN old']);
  expect(await chosen({ previous: true })).toHaveLength(2);
  expect(await chosen({ until: 1 })).toEqual([]);
  const all = await logs.read({ slot, tail: 10 });
  expect(all[0]).toMatchObject({ level: 'error', message: 'it broke' });
  expect(all[2]).toMatchObject({ level: 'warn', message: 'hot' });
  const { at } = all.at(-1)!;
  expect(await chosen({ since: at, grep: 'plain' })).toEqual(['plain']);
  expect(await chosen({ since: at + 60_000 })).toEqual([]);
});

it('a slow reader gets every line once, and what it has not taken waits on the disk', async () => {
  const run = await track('1.1');
  const seen: string[] = [];
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const stop = logs.follow({ slot, tail: 10 }, (line) => {
    seen.push(line.text);
    return seen.length === 3 ? gate : undefined;
  });
  const said = Array.from({ length: 50_000 }, (_, n) => `line ${n}`);
  let bytes = 0;
  for (let from = 0; from < said.length; from += 5_000) {
    const text = said
      .slice(from, from + 5_000)
      .map((line) => `${line}\n`)
      .join('');
    run.say(text);
    await stamped('1.1', (bytes += text.length));
  }
  expect(seen).toEqual(said.slice(0, 3));
  open();
  await until('the rest is there', () => seen.length >= said.length);
  expect(seen).toEqual(said);
  stop();
});
