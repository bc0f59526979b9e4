/** The container's chart under the real kernel: stops, crashes of its actor, permits, answers that come late. */
import { afterEach, expect, it } from 'vitest';
import { assignmentEntry } from '../../../protocols/containers/slot/value.ts';
import { limits } from '../../../protocols/limits.ts';
import { containerPath, paths, slotPath } from '../../../protocols/wire/paths.ts';
import { incarnation } from '../../kit/rig.ts';
import { assignment, Bench, keyOf, running, slot } from './bench.ts';

let bench: Bench;
afterEach(async () => {
  bench.world.kernel.halt();
  await bench.clock.settle();
});
const path = containerPath(keyOf(1));
const begun = async (prepare: (fresh: Bench) => void): Promise<Bench> => {
  const fresh = new Bench();
  fresh.journal.set(assignmentEntry(slot), assignment(1));
  prepare(fresh);
  return fresh.start();
};
const permits = () => bench.world.kernel.directory.show(paths.permits)?.context;

it('is asked to stop, and killed when its grace is over', async () => {
  bench = await running();
  bench.heeds = false;
  await bench.terminate();
  await bench.clock.advance(3_999);
  expect(bench.calls.at(-1)).toBe('signal 1.1.1');
  await bench.clock.advance(1);
  expect(bench.calls.slice(-3)).toEqual(['signal 1.1.1', 'kill 1.1.1', 'remove 1.1.1']);
  expect(bench.there()).toEqual([]);
});

it('is called stuck when even SIGKILL does not end it, and goes on being killed', async () => {
  bench = await running();
  bench.heeds = false;
  bench.refuse.set('containers.kill', 'HM-RUNTIME-DOWN');
  await bench.terminate();
  await bench.clock.advance(4_000 + limits.killMs);
  bench.refuse.clear();
  await bench.clock.advance(2_000);
  expect(bench.story().at(-1)).toBe('gone');
});

it('that others removed is gone', async () => {
  bench = await running();
  bench.heeds = false;
  bench.containers.clear();
  bench.refuse.set('containers.kill', 'HM-CONTAINER-UNKNOWN');
  await bench.terminate();
  await bench.clock.advance(5_000);
  expect(bench.story().at(-1)).toBe('gone');
});

it('a crash of its actor does not touch it: the next one adopts it', async () => {
  bench = await running();
  const before = incarnation(bench.world, path);
  await bench.send(paths.containers, { type: 'child.stop', id: path.slice(paths.containers.length + 1) });
  expect(incarnation(bench.world, path)).toBe(0);
  await bench.clock.advance(3_000);
  expect(incarnation(bench.world, path)).toBe(before + 1);
  expect(bench.calls.filter((call) => !call.startsWith('inspect'))).toEqual(['create 1.1.1', 'start 1.1.1']);
  expect(bench.last()).toMatchObject({ phase: 'running', readiness: 'ready', run: 1 });
  // And is heard: an exit after that counts.
  await bench.exit(keyOf(1), 3);
  expect(bench.last().lastExit?.code).toBe(3);
});

it('all container actors lost with their supervisor: each container is adopted', async () => {
  bench = await running();
  await bench.send('/workload', { type: 'child.restart', id: 'containers' });
  await bench.clock.advance(5_000);
  expect(bench.phase(path)).toBe('running.settled');
  expect(bench.there()).toEqual(['1.1.1 running']);
});

it('a silent runtime delays, and nothing is decided meanwhile', async () => {
  bench = await begun((fresh) => fresh.refuse.set('containers.inspect', 'HM-RUNTIME-DOWN'));
  await bench.clock.advance(30_000);
  expect(bench.last()).toMatchObject({ phase: 'starting', reason: { code: 'HM-RUNTIME-DOWN' } });
  bench.refuse.clear();
  await bench.clock.advance(1_500);
  expect(bench.last()).toMatchObject({ phase: 'running' });
});

it('answers of a hung runtime meet no later phase', async () => {
  bench = await begun((fresh) => fresh.hold('containers.inspect'));
  await bench.clock.advance(3_000);
  bench.forsake('containers.inspect');
  bench.hold('images.ensure');
  // Asked again after 5 s, and answered; the first question times out after 10 s, in the middle of the pull.
  await bench.clock.advance(2_500);
  expect(bench.phase(path)).toBe('pulling.waiting');
  await bench.clock.advance(20_000);
  expect(bench.phase(path)).toBe('pulling.waiting');
  await bench.letGo('images.ensure');
  expect(bench.phase(path)).toBe('running.settled');
  expect(bench.last()).toMatchObject({ run: 1 });
});

it('tells how far the pull of its image has come, and what it runs in the end', async () => {
  bench = await begun((fresh) => fresh.hold('images.ensure'));
  const pull = (doneBytes: number) => {
    bench.pulls = [{ image: 'web:1', phase: 'pulling', doneBytes, totalBytes: 40_000_000, layers: [] }];
  };
  pull(1_000_000);
  await bench.clock.advance(1_500);
  expect(bench.last()).toMatchObject({
    phase: 'starting',
    reason: { code: 'HM-IMAGE-PULLING', evidence: { doneBytes: 1_000_000, totalBytes: 40_000_000 } },
  });
  expect(bench.last()?.reason?.message).toBe('pulling web:1: 1.0 of 40.0 MB');
  pull(39_000_000);
  await bench.clock.advance(1_500);
  expect(bench.last()?.reason?.message).toBe('pulling web:1: 39.0 of 40.0 MB');
  await bench.letGo('images.ensure');
  expect(bench.last()).toMatchObject({ phase: 'running' });
  expect(bench.last()?.reason).toBeUndefined();
});

it('holds its permit for as long as it launches, also when it is granted twice', async () => {
  bench = await begun((fresh) => fresh.hold('containers.create'));
  expect(permits()).toMatchObject({ holders: [path], queue: [] });
  await bench.send(path, { type: 'permit.granted' });
  expect(permits()).toMatchObject({ holders: [path] });
  await bench.letGo('containers.create');
  expect(permits()).toMatchObject({ holders: [], queue: [] });
});

it('a permit of an actor that dies goes to the next', async () => {
  bench = await begun((fresh) => fresh.hold('containers.create'));
  await bench.send(paths.containers, { type: 'child.stop', id: path.slice(paths.containers.length + 1) });
  expect(permits()).toMatchObject({ holders: [] });
  await bench.letGo('containers.create');
});

it('a stop during a create waits for its end and removes what it made', async () => {
  bench = await begun((fresh) => fresh.hold('containers.create'));
  await bench.terminate();
  expect(bench.calls).toEqual(['inspect nothing']);
  await bench.letGo('containers.create');
  expect(bench.calls).toEqual(['inspect nothing', 'create 1.1.1', 'remove 1.1.1']);
  expect(bench.story().at(-1)).toBe('gone');
});

it('a start that fails leaves nothing and is another attempt', async () => {
  bench = await begun((fresh) => fresh.refuse.set('containers.start', 'HM-CONTAINER-CREATE'));
  expect(bench.calls).toEqual(['inspect nothing', 'create 1.1.1', 'remove 1.1.1']);
  bench.refuse.clear();
  await bench.clock.advance(2_000);
  expect(bench.there()).toEqual(['1.1.2 running']);
});

it('a removal that is refused is tried until it is done', async () => {
  bench = await running();
  bench.refuse.set('containers.remove', 'HM-RUNTIME-DOWN');
  await bench.terminate();
  await bench.clock.advance(15_000);
  expect(bench.phase(slotPath(slot))).toBe('stopping');
  bench.refuse.clear();
  await bench.clock.advance(1_500);
  expect(bench.story().at(-1)).toBe('gone');
});
