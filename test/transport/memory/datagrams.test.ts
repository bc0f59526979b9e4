/** The network in memory does what it is told to: each fault shows, and nothing else. */
import { expect, test } from 'vitest';
import { HeapClock } from '../../../runtime/world/heap-clock.ts';
import { seededRandom } from '../../../runtime/world/seeded-random.ts';
import { calm, MemoryDatagrams, type Faults } from '../../../transport/memory/datagrams.ts';

interface Arrival {
  readonly at: number;
  readonly number: number;
}

function sending(
  faults: Partial<Faults>,
  before: (network: MemoryDatagrams) => void = () => {},
  count = 1_000,
): readonly Arrival[] {
  const clock = new HeapClock();
  const network = new MemoryDatagrams(clock, seededRandom(3));
  network.faults = { ...calm, ...faults };
  const arrivals: Arrival[] = [];
  network.listen('b', (from, bytes) => {
    expect(from).toBe('a');
    arrivals.push({ at: clock.monotonicMs(), number: bytes[0]! * 256 + bytes[1]! });
  });
  before(network);
  for (let number = 0; number < count; number++) {
    clock.setTimer(number, () => network.send('a', 'b', Uint8Array.of(number >> 8, number & 255)));
  }
  while (clock.step());
  return arrivals;
}

const different = (arrivals: readonly Arrival[]): number =>
  new Set(arrivals.map(({ number }) => number)).size;

test('calm: everything arrives, soon', () => {
  const arrivals = sending({});
  expect(different(arrivals)).toBe(1_000);
  expect(arrivals.every(({ at, number }) => at > number && at < number + 10)).toBe(true);
});

test('loses its share', () => {
  expect(different(sending({ loss: 0.3 }))).toBeGreaterThan(630);
  expect(different(sending({ loss: 0.3 }))).toBeLessThan(770);
});

test('delays and lets packets overtake each other', () => {
  const arrivals = sending({ delayMs: 20, meanMs: 30 });
  expect(Math.min(...arrivals.map(({ at, number }) => at - number))).toBeGreaterThanOrEqual(20);
  expect(arrivals.some(({ number }, at) => at > 0 && number < arrivals[at - 1]!.number)).toBe(true);
});

test('doubles and replays', () => {
  expect(sending({ duplicate: 0.2 }).length).toBeGreaterThan(1_130);
  const replayed = sending({ replay: 0.2 });
  expect(replayed.length).toBeGreaterThan(1_130);
  expect(replayed.some(({ at, number }) => at > number + 100)).toBe(true);
});

test('cuts one way, what is under way too, until it is mended', () => {
  expect(sending({}, (network) => network.cut('a', 'b'))).toEqual([]);
  expect(sending({}, (network) => network.cut('b', 'a'))).toHaveLength(1_000);
  const mended = (network: MemoryDatagrams) => {
    network.cut('a', 'b');
    network.mendAll();
  };
  expect(sending({}, mended)).toHaveLength(1_000);
});

test('one way alone is worse, with a chance of its own: what others draw does not shift it', () => {
  const arrivalsOf = (busy: boolean): readonly number[] => {
    const clock = new HeapClock();
    const chances = { ab: seededRandom(1), cb: seededRandom(2) };
    const network = new MemoryDatagrams(clock, (from, to) => chances[`${from}${to}` as keyof typeof chances]);
    const arrivals: number[] = [];
    network.listen('b', (from, bytes) => from === 'a' && arrivals.push(bytes[0]!));
    network.set('a', 'b', { ...calm, loss: 0.5 });
    for (let number = 0; number < 200; number++) {
      if (busy) network.send('c', 'b', Uint8Array.of(number));
      network.send('a', 'b', Uint8Array.of(number));
    }
    while (clock.step());
    expect(network.counts.lost).toBe(200 - arrivals.length);
    return arrivals;
  };
  expect(arrivalsOf(true).length).toBeLessThan(130);
  expect(arrivalsOf(true)).toEqual(arrivalsOf(false));
});

test('clogs a way: all of it arrives afterwards', () => {
  const arrivals = sending({}, (network) => network.clog('a', 'b', 600));
  expect(different(arrivals)).toBe(1_000);
  expect(arrivals[0]!.at).toBeGreaterThanOrEqual(600);
});

test('a clogged way has a bound, and so has a packet', () => {
  const many = sending({}, (network) => network.clog('a', 'b', 60_000), 6_000);
  expect(many).toHaveLength(4_096);
  const network = new MemoryDatagrams(new HeapClock(), seededRandom(1));
  network.send('a', 'b', new Uint8Array(1_401));
  expect(network.counts).toMatchObject({ tooLong: 1, delivered: 0 });
});

test('to nobody, or to who has let go, is no error', () => {
  const clock = new HeapClock();
  const network = new MemoryDatagrams(clock, seededRandom(1));
  const release = network.listen('b', () => expect.unreachable());
  network.send('a', 'nobody', Uint8Array.of(1));
  network.send('a', 'b', Uint8Array.of(1));
  release();
  while (clock.step());
  expect(network.counts.delivered).toBe(2);
});
