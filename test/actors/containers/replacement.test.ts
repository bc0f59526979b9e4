/** What serves goes on until the image of what follows it is there; the real machines, in virtual time. */
import { afterEach, describe, expect, it } from 'vitest';
import { runEntry, type RunRecord } from '../../../protocols/containers/slot/value.ts';
import { paths, slotPath } from '../../../protocols/wire/paths.ts';
import { assignment, type Bench, keyOf, running, slot } from './bench.ts';

let bench: Bench;
afterEach(async () => {
  bench.world.kernel.halt();
  await bench.clock.settle();
});
const touched = () => bench.calls.filter((call) => /create|start|signal|kill|remove/.test(call));

/** Placement 1 serves, placement 2 waits. */
async function waiting(): Promise<Bench> {
  const fresh = await running();
  fresh.hold('images.ensure');
  await fresh.assign(assignment(2));
  fresh.calls.length = 0;
  return fresh;
}

const pull = (doneBytes: number) => ({
  ...({ image: 'web:1', phase: 'pulling', doneBytes, totalBytes: 40_000_000, layers: [] } as const),
});

it('serves, and says how far the pull of the next is; then gives way', async () => {
  bench = await waiting();
  expect(bench.last()).toMatchObject({
    ...{ phase: 'running', readiness: 'ready', placement: 1 },
    next: { placement: 2, image: 'web:1' },
  });
  bench.pulls = [pull(1_000_000)];
  await bench.clock.advance(1_500);
  expect(bench.last()).toMatchObject({
    ...{ phase: 'running', readiness: 'ready', placement: 1 },
    next: { reason: { code: 'HM-IMAGE-PULLING', evidence: { doneBytes: 1_000_000 } } },
  });
  bench.pulls = [pull(30_000_000)];
  await bench.clock.advance(1_000);
  expect(bench.last().reason?.evidence).toMatchObject({ doneBytes: 30_000_000 });
  expect(touched()).toEqual([]);
  bench.pulls = [];
  await bench.letGo('images.ensure');
  expect(touched()).toEqual(['signal 1.1.1', 'remove 1.1.1', 'create 2.1.1', 'start 2.1.1']);
  expect(bench.last()).toMatchObject({ phase: 'running', readiness: 'ready', placement: 2 });
  expect(bench.last().next).toBeUndefined();
  expect((bench.journal.get(runEntry(slot)) as RunRecord).serves).toBeUndefined();
});

it('a pull that fails is told once with its reason and tried again; the old one serves meanwhile', async () => {
  bench = await running();
  bench.refuse.set('images.ensure', 'HM-REGISTRY-UNREACHABLE');
  await bench.assign(assignment(2));
  await bench.clock.advance(60_000);
  expect(bench.last()).toMatchObject({
    ...{ phase: 'running', readiness: 'ready', placement: 1 },
    next: { placement: 2, reason: { code: 'HM-REGISTRY-UNREACHABLE' } },
  });
  expect(bench.news().filter((type) => type === 'image.unfetched')).toHaveLength(1);
  bench.refuse.clear();
  await bench.clock.advance(7_000);
  expect(bench.there()).toEqual(['2.1.1 running']);
});

it('of several that wait only the newest comes', async () => {
  bench = await waiting();
  await bench.assign(assignment(3));
  await bench.assign(assignment(2));
  expect(bench.last().next).toMatchObject({ placement: 3 });
  await bench.letGo('images.ensure');
  await bench.clock.advance(10_000);
  expect(bench.there()).toEqual(['3.1.1 running']);
  expect(touched()).not.toContain('create 2.1.1');
});

it('the old one ends meanwhile: it starts again as its own policy says, and gives way as soon as the image is there', async () => {
  bench = await waiting();
  await bench.exit(keyOf(1), 1);
  expect(bench.last()).toMatchObject({ phase: 'backoff', placement: 1, next: { placement: 2 } });
  await bench.clock.advance(1_000);
  expect(bench.last()).toMatchObject({ phase: 'starting', placement: 1, run: 2, next: { placement: 2 } });
  await bench.letGo('images.ensure');
  await bench.clock.advance(10_000);
  expect(bench.there()).toEqual(['2.1.1 running']);
});

describe('ends and new lives', () => {
  it('a stop while it waits ends everything', async () => {
    bench = await waiting();
    await bench.terminate();
    await bench.letGo('images.ensure');
    await bench.clock.advance(20_000);
    expect(bench.there()).toEqual([]);
    expect(bench.story().at(-1)).toBe('gone');
    expect(bench.journal.has(runEntry(slot))).toBe(false);
  });

  it.each([
    ['the daemon', () => bench.reboot()],
    ['the slot’s actor', () => bench.send(paths.slots, { type: 'child.restart', id: slot })],
  ])('%s starts anew: the old one is adopted and serves on, the next waits on', async (_, renew) => {
    bench = await waiting();
    bench.refuse.set('images.ensure', 'HM-REGISTRY-UNREACHABLE');
    bench.forsake('images.ensure');
    await renew();
    await bench.clock.advance(30_000);
    expect(touched()).toEqual([]);
    expect(bench.last()).toMatchObject({
      ...{ phase: 'running', readiness: 'ready', placement: 1 },
      next: { placement: 2, reason: { code: 'HM-REGISTRY-UNREACHABLE' } },
    });
    bench.refuse.clear();
    await bench.clock.advance(10_000);
    expect(bench.there()).toEqual(['2.1.1 running']);
  });
});

it('until it has ended the old one is shown on its own networks, whatever follows it; also by a daemon that starts anew', async () => {
  const on = (placement: number, id: string) => ({ ...assignment(placement), networks: [{ id }] });
  bench = await running();
  await bench.assign(on(2, 'shop_back'));
  bench.heeds = false;
  await bench.assign(on(3, 'shop_front'));
  expect(bench.last()).toMatchObject({ phase: 'stopping', placement: 3, networks: [{ id: 'shop_back' }] });
  await bench.reboot();
  expect(bench.there()).toEqual(['2.1.1 running']);
  expect(bench.last()).toMatchObject({ phase: 'stopping', networks: [{ id: 'shop_back' }] });
  await bench.clock.advance(10_000);
  expect(bench.there()).toEqual(['3.1.1 running']);
  expect(bench.last()).toMatchObject({ phase: 'running', networks: [{ id: 'shop_front' }] });
});

it('has no address any more where what follows has none', async () => {
  bench = await running();
  await bench.assign(assignment(2, { networkMode: 'app' }));
  const its = { key: keyOf(2), id: 'web-2.1.1', address: '10.42.0.2', startedAt: bench.clock.now() };
  await bench.send(slotPath(slot), { type: 'container.running', ...its });
  expect(bench.last()).toMatchObject({ phase: 'running', placement: 2, address: '10.42.0.2' });
  await bench.assign(assignment(3, { networkMode: 'host' }));
  await bench.clock.advance(60_000);
  expect(bench.last()).toMatchObject({ phase: 'running', placement: 3 });
  expect(bench.last().address).toBeUndefined();
});
