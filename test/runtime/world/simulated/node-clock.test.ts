/** Machines whose time is wrong and whose threads stand still: what runs there notices only that. */
import { expect, test } from 'vitest';
import { HeapClock } from '../../../../runtime/world/heap-clock.ts';
import { MachineTime, ThreadClock } from '../../../../runtime/world/simulated/node-clock.ts';

function machine() {
  const world = new HeapClock(1_000_000);
  const time = new MachineTime(world);
  const thread = new ThreadClock(world, time);
  const log: string[] = [];
  const after = (ms: number, what: string) =>
    thread.setTimer(ms, () => log.push(`${what} at ${Math.round(world.monotonicMs())}`));
  return { world, time, thread, log, after };
}

test('the wall clock is set, and the other one does not notice; set right, it is right', async () => {
  const { world, time } = machine();
  await world.advance(500);
  time.jump(-60_000);
  expect([time.now(), time.monotonicMs()]).toEqual([940_500, 500]);
  time.drift(2);
  await world.advance(1_000);
  expect([time.now(), time.monotonicMs()]).toEqual([942_500, 2_500]);
  time.correct();
  await world.advance(100);
  expect([time.now(), time.monotonicMs()]).toEqual([1_001_600, 2_600]);
});

test('timers of a machine that runs too fast are early', async () => {
  const { world, time, log, after } = machine();
  time.drift(1.25);
  after(1_000, 'timer');
  await world.advance(2_000);
  expect(log).toEqual(['timer at 800']);
});

test('a thread that stands still does everything afterwards, in the order of its coming, and what comes then waits its turn', async () => {
  const { world, thread, log, after } = machine();
  after(100, 'first');
  after(300, 'third');
  after(900, 'last');
  const goOn = thread.halt();
  world.setTimer(200, () => thread.arrive(() => log.push('second, from outside')));
  world.setTimer(500, goOn);
  world.setTimer(500, () => thread.arrive(() => log.push('fourth, from outside')));
  await world.advance(499);
  expect(log).toEqual([]);
  await world.advance(1_000);
  expect(log).toEqual([
    'first at 500',
    'second, from outside',
    'third at 500',
    'fourth, from outside',
    'last at 900',
  ]);
});

test('two causes to stand still: it goes on after the second', async () => {
  const { world, thread, log, after } = machine();
  after(10, 'timer');
  const [one, other] = [thread.halt(), thread.halt()];
  world.setTimer(100, one);
  world.setTimer(150, one);
  world.setTimer(200, other);
  await world.advance(1_000);
  expect(log).toEqual(['timer at 200']);
});
