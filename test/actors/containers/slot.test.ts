/** The slot's chart under the real kernel, in virtual time: lives, restarts, stops, new placements, adoption. */
import { afterEach, describe, expect, it } from 'vitest';
import { assignmentEntry, runEntry, type RunRecord } from '../../../protocols/containers/slot/value.ts';
import { limits } from '../../../protocols/limits.ts';
import { containerPath, paths, slotPath } from '../../../protocols/wire/paths.ts';
import { assignment, Bench, keyOf, running, slot } from './bench.ts';

let bench: Bench;
afterEach(async () => {
  bench.world.kernel.halt();
  await bench.clock.settle();
});
const record = () => bench.journal.get(runEntry(slot)) as RunRecord | undefined;
const healthcheck = { test: ['true'], intervalMs: 5_000, timeoutMs: 1_000, retries: 2, startPeriodMs: 0 };

describe('a life', () => {
  it('is numbered in the journal, then started, then told', async () => {
    bench = await running();
    expect(bench.calls).toEqual(['inspect nothing', 'create 1.1.1', 'start 1.1.1']);
    expect(bench.story()).toEqual(['starting', 'ready']);
    expect(record()).toMatchObject({ placement: 1, run: 1, attempt: 1, started: true });
  });

  it('waits for the journal before anything is made', async () => {
    bench = new Bench();
    bench.journal.set(assignmentEntry(slot), assignment(1));
    bench.hold('journal.append');
    await bench.start();
    expect(bench.phase()).toBe('numbering');
    expect(bench.calls).toEqual([]);
    await bench.letGo('journal.append');
    expect(bench.there()).toEqual(['1.1.1 running']);
  });

  it('a full disk: waits and says why, then goes on with the next attempt', async () => {
    bench = new Bench();
    bench.journal.set(assignmentEntry(slot), assignment(1));
    bench.refuse.set('journal.append', 'HM-DISK-FULL');
    await bench.start();
    await bench.clock.advance(5_000);
    expect(bench.calls).toEqual([]);
    expect(bench.last()).toMatchObject({ phase: 'waiting', reason: { code: 'HM-DISK-FULL' } });
    bench.refuse.clear();
    await bench.clock.advance(2_000);
    expect(bench.last()).toMatchObject({ phase: 'running', readiness: 'ready' });
    expect(bench.last().reason).toBeUndefined();
  });

  it('a create that fails: everything is removed, then the next attempt, later each time', async () => {
    bench = new Bench();
    bench.journal.set(assignmentEntry(slot), assignment(1));
    bench.refuse.set('containers.create', 'HM-CONTAINER-CREATE');
    await bench.start();
    expect(bench.last()).toMatchObject({ phase: 'waiting', reason: { code: 'HM-CONTAINER-CREATE' } });
    await bench.clock.advance(60_000);
    const attempt = record()!.attempt;
    // 0.5, 1, 2, 4, then every 5 s, give or take a fifth.
    expect(attempt).toBeGreaterThan(12);
    expect(attempt).toBeLessThan(20);
    bench.refuse.clear();
    await bench.clock.advance(7_000);
    expect(bench.there()).toEqual([`1.1.${record()!.attempt} running`]);
    // No budget was spent: the process never ran.
    expect(bench.last().restarts).toBe(0);
  });

  it('an exit that comes before the answer to the start is an exit', async () => {
    bench = await running({ restart: { condition: 'none' } });
    bench.world.kernel.halt();
    bench = new Bench();
    bench.journal.set(assignmentEntry(slot), assignment(1, { restart: { condition: 'none' } }));
    bench.hold('containers.start');
    await bench.start();
    const exit = { code: 0, at: bench.clock.now(), oomKilled: false };
    await bench.send(containerPath(keyOf(1)), { type: 'runtime.exited', exit });
    await bench.letGo('containers.start');
    expect(bench.last()).toMatchObject({ phase: 'completed', lastExit: { code: 0 } });
  });
});

describe('the policy', () => {
  it('restarts with backoff, counts, and keeps the number of the run in the journal', async () => {
    bench = await running();
    await bench.exit(keyOf(1), 1);
    expect(bench.last()).toMatchObject({
      phase: 'backoff',
      lastExit: { code: 1 },
      reason: { code: 'HM-CONTAINER-EXIT' },
    });
    await bench.clock.advance(limits.backoffMinMs * 0.79);
    expect(bench.phase()).toBe('backoff');
    await bench.clock.advance(limits.backoffMinMs * 0.42);
    expect(bench.there()).toEqual(['1.2.1 running']);
    expect(bench.last()).toMatchObject({ restarts: 1, run: 2 });
  });

  it.each([
    [{ condition: 'none' }, 0, 'completed'],
    [{ condition: 'none' }, 2, 'failed'],
    [{ condition: 'on-failure' }, 0, 'completed'],
    [{ condition: 'on-failure', maxAttempts: 0 }, 2, 'failed'],
  ] as const)('%o, code %d: %s, also after a restart of the daemon', async (restart, code, phase) => {
    bench = await running({ restart });
    await bench.exit(keyOf(1), code);
    expect(bench.last().phase).toBe(phase);
    await bench.reboot();
    await bench.clock.advance(120_000);
    expect(bench.last().phase).toBe(phase);
    expect(bench.calls).toEqual([]);
  });

  it('unhealthy: withdrawn, stopped, started again', async () => {
    bench = await running({ healthcheck });
    expect(bench.story()).toEqual(['starting', 'starting HM-HEALTH-STARTING', 'ready']);
    bench.healthy = false;
    await bench.clock.advance(11_000);
    expect(bench.story().slice(3)).toEqual(
      expect.arrayContaining([
        'unhealthy HM-HEALTH-FAILED',
        'stopping HM-HEALTH-FAILED',
        'backoff HM-HEALTH-FAILED',
      ]),
    );
    bench.healthy = true;
    await bench.clock.advance(3_000);
    expect(bench.there()).toEqual(['1.2.1 running']);
    expect(bench.last()).toMatchObject({ phase: 'running', readiness: 'ready', restarts: 1 });
  });

  it('unhealthy under `restart: no` stays, unready, and is ready again when it recovers', async () => {
    bench = await running({ healthcheck, restart: { condition: 'none' } });
    bench.healthy = false;
    await bench.clock.advance(60_000);
    expect(bench.last()).toMatchObject({ phase: 'running', readiness: 'unhealthy' });
    bench.healthy = true;
    await bench.clock.advance(6_000);
    expect(bench.last()).toMatchObject({ phase: 'running', readiness: 'ready' });
    expect(bench.there()).toEqual(['1.1.1 running']);
  });
});

/** How to bring a slot into each of its phases. */
const phases: Readonly<Record<string, () => Promise<Bench>>> = {
  numbering: async () => {
    const fresh = new Bench();
    fresh.journal.set(assignmentEntry(slot), assignment(1));
    fresh.hold('journal.append');
    return fresh.start();
  },
  ...Object.fromEntries(
    [
      'images.ensure',
      'volumes.prepareRun',
      'containers.inspect',
      'containers.create',
      'containers.start',
    ].map((operation) => [
      `starting (${operation})`,
      async () => {
        const fresh = new Bench();
        fresh.journal.set(assignmentEntry(slot), assignment(1));
        fresh.hold(operation);
        return fresh.start();
      },
    ]),
  ),
  waiting: async () => {
    const fresh = new Bench();
    fresh.journal.set(assignmentEntry(slot), assignment(1));
    fresh.refuse.set('images.ensure', 'HM-IMAGE-MISSING');
    await fresh.start();
    fresh.refuse.clear();
    return fresh;
  },
  'running.ready': () => running(),
  'running.unready': async () => {
    const fresh = new Bench();
    fresh.journal.set(assignmentEntry(slot), assignment(1, { healthcheck }));
    fresh.hold('containers.run');
    return fresh.start();
  },
  recycling: async () => {
    const fresh = await running({ healthcheck });
    fresh.healthy = false;
    fresh.heeds = false;
    await fresh.clock.advance(10_500);
    return fresh;
  },
  backoff: async () => {
    const fresh = await running();
    await fresh.exit(keyOf(1), 1);
    return fresh;
  },
  retiring: async () => {
    const fresh = await running();
    fresh.heeds = false;
    await fresh.assign(assignment(2));
    return fresh;
  },
  completed: async () => {
    const fresh = await running({ restart: { condition: 'none' } });
    await fresh.exit(keyOf(1), 0);
    return fresh;
  },
  failed: async () => {
    const fresh = await running({ restart: { condition: 'none' } });
    await fresh.exit(keyOf(1), 1);
    return fresh;
  },
};
/** Placement and run that are there in the end; none: nothing runs. */
const runAfter: Readonly<Record<string, string | undefined>> = {
  ...Object.fromEntries(Object.keys(phases).map((name) => [name, '1.1'])),
  ...{ recycling: '1.2', backoff: '1.2', retiring: '2.1', completed: undefined, failed: undefined },
};
const operations = [
  'journal.append',
  'images.ensure',
  'volumes.prepareRun',
  'containers.inspect',
  'containers.create',
  'containers.start',
  'containers.run',
];
async function letAllGo(): Promise<void> {
  for (const operation of operations) await bench.letGo(operation);
}

describe.each(Object.entries(phases))('in %s', (name, bring) => {
  it('is there', async () => {
    bench = await bring();
    expect(bench.phase()).toBe(name.replace(/ .*/, ''));
  });

  it('a stop ends it, and nothing of it is left', async () => {
    bench = await bring();
    await bench.terminate();
    await letAllGo();
    await bench.clock.advance(20_000);
    expect(bench.story().at(-1)).toBe('gone');
    expect(bench.there()).toEqual([]);
    expect([...bench.journal.keys()].filter((key) => !key.endsWith('|ending'))).toEqual([]);
    expect(bench.world.living().filter((path) => path.includes('web.1'))).toEqual([]);
  });

  it('a new placement comes once the old container is gone, and only that runs', async () => {
    bench = await bring();
    bench.calls.length = 0;
    await bench.assign(assignment(7));
    await letAllGo();
    await bench.clock.advance(20_000);
    expect(bench.there()).toEqual(['7.1.1 running']);
    const created = bench.calls.indexOf('create 7.1.1');
    const before = bench.calls.slice(0, created);
    const [made, removed] = ['start 1.1.1', 'remove 1.1.1'].map((call) => before.lastIndexOf(call));
    expect(made).toBeLessThanOrEqual(removed!);
    expect(bench.calls.slice(created).filter((call) => /(create|start) 1\./.test(call))).toEqual([]);
    expect(bench.last()).toMatchObject({ phase: 'running', placement: 7, run: 1 });
  });

  it('a crash of the slot’s actor changes nothing in the end', async () => {
    bench = await bring();
    await bench.send(paths.slots, { type: 'child.restart', id: slot });
    await letAllGo();
    bench.heeds = true;
    bench.healthy = true;
    await bench.clock.advance(40_000);
    const left = bench.there().map((text) => text.replace(/\.\d+ /, ' '));
    expect(left).toEqual(runAfter[name] === undefined ? [] : [`${runAfter[name]} running`]);
  });

  it('a kill of the daemon changes nothing in the end', async () => {
    bench = await bring();
    const runs = bench.there().filter((text) => text.endsWith('running'));
    bench.healthy = true;
    bench.heeds = true;
    await bench.reboot();
    await bench.clock.advance(40_000);
    const left = bench.there().map((text) => text.replace(/\.\d+ /, ' '));
    expect(left).toEqual(runAfter[name] === undefined ? [] : [`${runAfter[name]} running`]);
    // What ran is adopted, not started again (O11).
    if (name.startsWith('running')) {
      expect(bench.there()).toEqual(runs);
      expect(bench.calls.filter((call) => /create|start|signal|kill|remove/.test(call))).toEqual([]);
    }
  });
});

describe('after a restart', () => {
  it('a container that ended meanwhile counts with its own exit code', async () => {
    bench = await running({ restart: { condition: 'on-failure' } });
    bench.end(keyOf(1), 0);
    await bench.reboot();
    expect(bench.last()).toMatchObject({ phase: 'completed', lastExit: { code: 0 } });
  });

  it('a container that is not there any more was lost', async () => {
    bench = await running();
    bench.containers.clear();
    await bench.reboot();
    expect(bench.last()).toMatchObject({
      phase: 'backoff',
      reason: { code: 'HM-CONTAINER-LOST', hint: 'Nothing: the slot starts a new one.' },
    });
    await bench.clock.advance(1_000);
    expect(bench.there()).toEqual(['1.2.1 running']);
  });

  it('one that was lost and that its policy does not start again says what does', async () => {
    bench = await running({ restart: { condition: 'none' } });
    bench.containers.clear();
    await bench.reboot();
    const { phase, reason } = bench.last();
    expect([phase, reason?.code]).toEqual(['failed', 'HM-CONTAINER-LOST']);
    expect(reason?.hint).toContain(`hivemind restart ${slot}`);
  });

  it('what a create left behind is removed, and its run is tried again', async () => {
    bench = new Bench();
    bench.journal.set(assignmentEntry(slot), assignment(1));
    bench.hold('containers.create');
    await bench.start();
    bench.put(keyOf(1), 'unknown');
    await bench.reboot();
    await bench.clock.advance(2_000);
    expect(bench.calls).toContain('remove 1.1.1');
    expect(bench.there()).toEqual(['1.1.2 running']);
  });

  it('a container of the placement before is gone before the new one starts', async () => {
    bench = await running();
    bench.journal.set(assignmentEntry(slot), assignment(2));
    await bench.reboot();
    expect(bench.calls.filter((call) => !call.startsWith('inspect'))).toEqual([
      'signal 1.1.1',
      'remove 1.1.1',
      'create 2.1.1',
      'start 2.1.1',
    ]);
  });

  it('a slot that had been told to end ends without being told again', async () => {
    bench = await running();
    bench.heeds = false;
    await bench.terminate();
    bench.heeds = true;
    await bench.reboot();
    expect(bench.story()).toEqual(['stopping', 'gone']);
    expect(bench.there()).toEqual([]);
  });

  it('a running container that the journal forgot is adopted', async () => {
    bench = await running();
    bench.journal.delete(runEntry(slot));
    bench.hold('journal.append');
    await bench.reboot();
    const found = { type: 'container.found', key: keyOf(1, 3), id: 'later', found: 'running' };
    bench.put(keyOf(1, 3), 'running');
    await bench.send(slotPath(slot), found);
    await bench.clock.advance(10_000);
    expect(bench.last()).toMatchObject({ phase: 'running', run: 3 });
    expect(record()).toMatchObject({ run: 3 });
  });

  it('a slot that cannot read its journal waits for it', async () => {
    bench = await running();
    bench.refuse.set('journal.read', 'HM-JOURNAL-CORRUPT');
    await bench.reboot();
    await bench.clock.advance(10_000);
    expect(bench.phase()).toBe('recovering');
    bench.refuse.clear();
    await bench.clock.advance(2_000);
    expect(bench.phase()).toBe('running.ready');
  });
});
