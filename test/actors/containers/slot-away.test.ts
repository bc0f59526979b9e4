/** A slot that was away, or that meets containers that are not its own: nothing it was told is missed, nothing of others harmed. */
import { afterEach, describe, expect, it } from 'vitest';
import { paths, slotPath } from '../../../protocols/wire/paths.ts';
import { assignment, type Bench, keyOf, running, slot } from './bench.ts';

let bench: Bench;
afterEach(async () => {
  bench.world.kernel.halt();
  await bench.clock.settle();
});

describe('what was told while nobody listened', () => {
  it('a new assignment during recovery is read, not missed', async () => {
    bench = await running();
    bench.hold('journal.read');
    await bench.send(paths.slots, { type: 'child.restart', id: slot });
    await bench.clock.advance(1_000);
    expect(bench.phase()).toBe('recovering');
    await bench.assign(assignment(2));
    await bench.letGo('journal.read');
    await bench.clock.advance(5_000);
    expect(bench.there()).toEqual(['2.1.1 running']);
  });

  it('an end of the container while the slot was away keeps its exit code', async () => {
    bench = await running({ restart: { condition: 'none' } });
    bench.hold('containers.remove');
    bench.hold('journal.read');
    await bench.send(paths.slots, { type: 'child.restart', id: slot });
    await bench.clock.advance(200);
    await bench.exit(keyOf(1), 0);
    await bench.letGo('journal.read');
    await bench.clock.advance(2_000);
    expect(bench.last()).toMatchObject({ phase: 'completed', lastExit: { code: 0 } });
    await bench.letGo('containers.remove');
  });
});

describe('strays', () => {
  it('a container of another run is removed, the present one is not', async () => {
    bench = await running();
    const found = (run: number) => ({
      type: 'container.found',
      key: keyOf(1, run),
      id: `c${run}`,
      found: 'stopped',
    });
    await bench.send(slotPath(slot), found(1));
    expect(bench.calls.at(-1)).toBe('start 1.1.1');
    await bench.send(slotPath(slot), found(0));
    expect(bench.calls.at(-1)).toBe('remove nothing');
    // A placement that the store has not told of yet is not judged.
    await bench.send(slotPath(slot), { ...found(1), key: keyOf(2), id: 'c9' });
    expect(bench.calls.filter((call) => call.startsWith('remove'))).toHaveLength(1);
  });
});

it('says where it stands as often as it is asked: a manager that asked before may have heard nothing', async () => {
  bench = await running();
  const before = bench.story().length;
  for (let asked = 1; asked <= 3; asked += 1) {
    await bench.send(slotPath(slot), { type: 'slot.report' });
    expect(bench.story()).toHaveLength(before + asked);
  }
  expect(bench.last()).toMatchObject({ phase: 'running', readiness: 'ready' });
});
