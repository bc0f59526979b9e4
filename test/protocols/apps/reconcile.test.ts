/** Reconciling: what follows from wish, assignment and report. Tables for single decisions, properties for the rest. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AppCommand } from '../../../protocols/apps/commands.ts';
import type { Assignment } from '../../../protocols/apps/model.ts';
import {
  isCurrent,
  isServing,
  reconcileApp,
  revisionOf,
  wantedSlots,
} from '../../../protocols/apps/reconcile.ts';
import { viewOf } from '../../../protocols/apps/view.ts';
import { limits } from '../../../protocols/limits.ts';
import { keys } from '../../../protocols/state/keys.ts';
import { appOf, commit, node, serviceOf, Town } from './town.ts';

const slotsOf = (town: Town) =>
  town
    .assignments()
    .map(({ slot, placement }) => `${slot}#${placement}`)
    .sort();

describe('placing', () => {
  it('assigns every replica once, and nothing the second time', () => {
    const town = new Town();
    town.deploy(appOf('shop', [serviceOf('web', { replicas: 3 })]));
    expect(town.settle()).toBe(1);
    expect(slotsOf(town)).toEqual(['shop/web.1#1', 'shop/web.2#1', 'shop/web.3#1']);
    expect(town.settle()).toBe(0);
  });

  it.each([
    ['started', { phase: 'starting', readiness: 'none' }, false],
    ['started', { phase: 'running', readiness: 'starting' }, true],
    ['healthy', { phase: 'running', readiness: 'starting' }, false],
    ['healthy', { phase: 'running', readiness: 'ready' }, true],
    ['healthy', { phase: 'completed', readiness: 'none' }, true],
    ['started', { phase: 'failed', readiness: 'none' }, false],
    ['started', { phase: 'running', readiness: 'ready', placement: 99 }, false],
  ] as const)(
    'what depends on a service that is to be %s waits while it is %o',
    (condition, status, placed) => {
      const town = new Town();
      const web = serviceOf('web', { dependsOn: [{ service: 'db', condition }] });
      town.deploy(appOf('shop', [web, serviceOf('db')]));
      town.settle();
      expect(slotsOf(town)).toEqual(['shop/db.1#1']);
      // A report of a placement that is not the present one says nothing.
      if ('placement' in status) town.deploy(appOf('shop', [web, serviceOf('db', { image: 'db:2' })]));
      town.report('shop/db.1', { ...status, placement: 1 });
      town.round();
      expect(slotsOf(town).some((slot) => slot.startsWith('shop/web'))).toBe(placed);
    },
  );

  it('a change of limits alone keeps every placement, and is in the assignment', () => {
    const town = new Town();
    town.deploy(appOf('shop', [serviceOf('web', { replicas: 2 })]));
    town.converge();
    const before = slotsOf(town);
    const resources = { limits: { memoryBytes: 1_000 } };
    town.deploy(appOf('shop', [serviceOf('web', { replicas: 2, resources })]));
    town.settle();
    expect(slotsOf(town)).toEqual(before);
    expect(town.assignments().map(({ spec }) => spec.resources)).toEqual([resources, resources]);
    // What the kernel takes only at the start makes another container.
    const fixed = { ...resources, memorySwappiness: 1 };
    town.deploy(appOf('shop', [serviceOf('web', { replicas: 2, resources: fixed })]));
    town.converge();
    expect(slotsOf(town)).not.toEqual(before);
  });

  it('a change replaces one serving replica at a time, the next when it serves', () => {
    const town = new Town();
    town.deploy(appOf('shop', [serviceOf('web', { replicas: 3 })]));
    town.converge();
    town.deploy(appOf('shop', [serviceOf('web', { replicas: 3, image: 'web:2' })]));
    const seen: string[] = [];
    for (let turn = 0; turn < 3; turn++) {
      town.settle();
      seen.push(slotsOf(town).join(' '));
      const moved = town
        .assignments()
        .find(({ slot, placement }) => town.observed[slot]?.placement !== placement);
      town.report(moved!.slot, { phase: 'starting', readiness: 'none' });
      expect(town.settle()).toBe(0);
      town.report(moved!.slot);
    }
    expect(town.settle()).toBe(0);
    expect(seen).toEqual([
      'shop/web.1#2 shop/web.2#1 shop/web.3#1',
      'shop/web.1#2 shop/web.2#2 shop/web.3#1',
      'shop/web.1#2 shop/web.2#2 shop/web.3#2',
    ]);
  });

  it('what does not serve is replaced at once, and then no serving one gives way', () => {
    const town = new Town();
    town.deploy(appOf('shop', [serviceOf('web', { replicas: 3 })]));
    town.converge();
    town.report('shop/web.1', { phase: 'backoff', readiness: 'none' });
    town.report('shop/web.3', { phase: 'running', readiness: 'unhealthy' });
    town.deploy(appOf('shop', [serviceOf('web', { replicas: 3, image: 'web:2' })]));
    town.settle();
    expect(slotsOf(town)).toEqual(['shop/web.1#2', 'shop/web.2#1', 'shop/web.3#2']);
  });

  it('a revision that changes nothing of a container moves nothing', () => {
    const town = new Town();
    town.deploy(appOf('shop', [serviceOf('web'), serviceOf('db')]));
    town.converge();
    town.deploy(appOf('shop', [serviceOf('web'), serviceOf('db', { image: 'db:2' })]));
    town.converge();
    expect(slotsOf(town)).toEqual(['shop/db.1#2', 'shop/web.1#1']);
    expect(town.assignments().map(({ revision }) => revision)).toEqual([2, 2]);
  });

  it('a restored store is overtaken: a later placement than the node runs', () => {
    const town = new Town();
    town.deploy(appOf('shop', [serviceOf('web')]));
    town.settle();
    town.report('shop/web.1', { placement: 7 });
    town.settle();
    expect(slotsOf(town)).toEqual(['shop/web.1#8']);
    town.run();
    expect(town.settle()).toBe(0);
  });

  it('a revision that is missing stops nothing', () => {
    const town = new Town();
    town.deploy(appOf('shop', [serviceOf('web')]));
    town.converge();
    town.mirror = commit(town.mirror, {
      compare: [],
      then: [{ op: 'delete', key: keys.revision('shop', 1) }],
    });
    expect(town.settle()).toBe(0);
    expect(slotsOf(town)).toEqual(['shop/web.1#1']);
  });

  it('many big slots are placed in transactions that the store takes', () => {
    const town = new Town();
    const environment = { BLOB: 'é'.repeat(100_000) };
    town.deploy(appOf('shop', [serviceOf('web', { replicas: 60, environment })]));
    let rounds = 0;
    for (let writes = town.round(); writes; writes = town.round()) {
      rounds += 1;
      expect(Buffer.byteLength(JSON.stringify(writes.then))).toBeLessThan(limits.storeTxnBytes);
    }
    expect(town.assignments()).toHaveLength(60);
    expect(rounds).toBeGreaterThan(5);
  });
});

describe('removing', () => {
  it('slots go first, then revisions, then the head; placements stay', () => {
    const town = new Town();
    town.deploy(appOf('shop', [serviceOf('web', { replicas: 2 })]));
    town.deploy(appOf('shop', [serviceOf('web', { replicas: 2, image: 'web:2' })]));
    town.converge();
    town.command({ type: 'app.remove', app: 'shop', volumes: false });
    town.settle();
    expect(town.assignments()).toEqual([]);
    // Still reported: not over.
    expect(town.apps()).toHaveLength(1);
    town.run();
    town.settle();
    expect(Object.keys(town.mirror.rows)).toEqual([
      keys.placement('shop/web.1'),
      keys.placement('shop/web.2'),
    ]);
  });

  it('a head waits for volumes that are to go', () => {
    const town = new Town();
    town.deploy(appOf('shop', [serviceOf('db')], ['files']));
    town.converge();
    town.command({ type: 'app.remove', app: 'shop', volumes: true });
    town.converge();
    expect(town.apps()).toHaveLength(1);
    // Who looks at it, or at who mounts the volume, still sees what it is.
    expect(revisionOf(town.desk, town.apps()[0]!)?.spec.services).toHaveProperty('db');
    town.mirror = commit(town.mirror, {
      compare: [],
      then: ['files', '*'].map((volume) => ({ op: 'delete', key: keys.volume('shop', volume) })),
    });
    town.converge();
    expect(town.apps()).toEqual([]);
  });

  it('a kept volume does not hold the head, and is kept', () => {
    const town = new Town();
    town.deploy(appOf('shop', [serviceOf('db')], ['files']));
    town.converge();
    town.command({ type: 'app.remove', app: 'shop', volumes: false });
    town.converge();
    expect(town.apps()).toEqual([]);
    expect(town.mirror.rows[keys.volume('shop', 'files')]?.value).toMatchObject({ removing: false });
  });
});

// ─── Properties ───

const specs = fc.record({
  web: fc.integer({ min: 1, max: 4 }),
  db: fc.integer({ min: 1, max: 2 }),
  image: fc.integer({ min: 1, max: 2 }),
  condition: fc.constantFrom('started' as const, 'healthy' as const),
});
const apps = fc.constantFrom('shop', 'blog');

type Act =
  | { do: 'command'; command: (town: Town) => AppCommand }
  | { do: 'round' }
  | { do: 'report'; nth: number; as: 'ready' | 'fresh' | 'starting' | 'unhealthy' | 'failed' | 'gone' };

const acts: fc.Arbitrary<Act> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Act>({ do: 'round' }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('report' as const),
      nth: fc.nat(20),
      as: fc.constantFrom('ready', 'ready', 'ready', 'fresh', 'starting', 'unhealthy', 'failed', 'gone'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(apps, specs).map(([app, { web, db, image, condition }]): Act => ({
      do: 'command',
      command: () => ({
        type: 'app.deploy',
        at: 1,
        spec: appOf(app, [
          serviceOf('db', { replicas: db }),
          serviceOf('web', {
            replicas: web,
            image: `web:${image}`,
            dependsOn: [{ service: 'db', condition }],
          }),
        ]),
      }),
    })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(apps, fc.integer({ min: 0, max: 5 }), fc.constantFrom('web', 'db'))
      .map(([app, replicas, service]): Act => ({
        do: 'command',
        command: () => ({ type: 'app.scale', app, service, replicas }),
      })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(apps, fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }))
      .map(([app, index]): Act => ({
        do: 'command',
        command: () => ({
          type: 'app.restart',
          app,
          service: 'web',
          ...(index === undefined ? {} : { index }),
        }),
      })),
  },
  {
    weight: 1,
    arbitrary: apps.map((app): Act => ({
      do: 'command',
      command: () => ({ type: 'app.remove', app, volumes: false }),
    })),
  },
);

const statuses = {
  ready: { phase: 'running', readiness: 'ready' },
  fresh: { phase: 'running', readiness: 'ready' },
  starting: { phase: 'starting', readiness: 'none' },
  unhealthy: { phase: 'running', readiness: 'unhealthy' },
  failed: { phase: 'failed', readiness: 'none' },
} as const;

function perform(town: Town, act: Act): void {
  if (act.do === 'command') town.command(act.command(town));
  else if (act.do === 'round') checkedRound(town);
  else {
    const names = [
      ...new Set([...town.assignments().map(({ slot }) => slot), ...Object.keys(town.observed)]),
    ];
    const slot = names[act.nth % Math.max(1, names.length)];
    if (slot === undefined) return;
    if (act.as === 'gone') delete town.observed[slot];
    else town.report(slot, statuses[act.as], act.as === 'ready');
  }
}

/** What one round may do, whatever came before it. */
function checkedRound(town: Town): void {
  const before = new Map(town.assignments().map((row) => [row.slot, row]));
  const serving = (row: Assignment) => isServing(row, town.observed[row.slot]);
  for (const app of town.apps()) {
    const writes = reconcileApp(town.desk, app);
    if (writes.then.length > 0)
      expect(writes.compare.some(({ key }) => key === keys.app(app.name))).toBe(true);
    // Other apps are left alone.
    for (const { key } of writes.then) expect(key).toContain(`/${app.name}`.replace(/^\/(?=apps)/, ''));
  }
  if (!town.round()) return;
  const after = town.assignments();
  for (const row of after) {
    const old = before.get(row.slot);
    if (old) expect(row.placement).toBeGreaterThanOrEqual(old.placement);
  }
  for (const app of town.apps()) {
    const wanted = new Set(wantedSlots(town.desk, app).map(({ slot }) => slot));
    for (const service of ['web', 'db']) {
      const mine = after.filter(
        (row) => row.app === app.name && row.service === service && wanted.has(row.slot),
      );
      const given = mine.filter((row) => {
        const old = before.get(row.slot);
        return old !== undefined && row.placement > old.placement && serving(old);
      });
      expect(given.length, `${app.name}/${service}`).toBeLessThanOrEqual(1);
      // Of several, one that serves gives way only where all of the newest wish have settled.
      const others = mine.filter((row) => before.get(row.slot)?.placement === row.placement);
      const hash = new Map(wantedSlots(town.desk, app).map((slot) => [slot.slot, slot]));
      const flux = others.filter(
        (row) =>
          isCurrent(hash.get(row.slot)!, row) &&
          !(
            serving(row) &&
            (town.observed[row.slot]?.settled ?? town.observed[row.slot]?.phase === 'completed')
          ),
      );
      if (given.length > 0 && mine.length > 1) expect(flux.map(({ slot }) => slot)).toEqual([]);
    }
    // Never more assigned than wanted by anything that is wanted now, or was.
    expect(new Set(after.map(({ slot }) => slot)).size).toBe(after.length);
  }
}

const property = (check: (town: Town) => void) =>
  fc.assert(
    fc.property(fc.array(acts, { minLength: 1, maxLength: 60 }), (steps) => {
      const town = new Town();
      const counters = new Map<string, number>();
      for (const step of steps) {
        perform(town, step);
        for (const [key, { value }] of Object.entries(town.mirror.rows)) {
          if (!key.startsWith(keys.placements)) continue;
          expect(value).toBeGreaterThanOrEqual(counters.get(key) ?? 0);
          counters.set(key, value as number);
        }
      }
      check(town);
    }),
    { numRuns: 300 },
  );

describe('whatever happens', () => {
  it('once everything runs, it is as wished, and reconciling again does nothing', () =>
    property((town) => {
      town.converge();
      for (const app of town.apps()) {
        expect(viewOf(town.desk, app).converged).toBe(true);
        const wanted = wantedSlots(town.desk, app);
        expect(
          town
            .assignments(app.name)
            .map(({ slot }) => slot)
            .sort(),
        ).toEqual(wanted.map(({ slot }) => slot).sort());
      }
      expect(town.round()).toBeUndefined();
    }));

  it('of a removed app everything goes, and nothing of another', () =>
    property((town) => {
      town.converge();
      const others = town.assignments('blog');
      town.command({ type: 'app.remove', app: 'shop', volumes: false });
      town.converge();
      const left = Object.keys(town.mirror.rows).filter((key) => key.includes('shop'));
      expect(left.filter((key) => !key.startsWith(keys.placements))).toEqual([]);
      expect(town.assignments('blog')).toEqual(others);
    }));

  it('every assignment is wanted or about to go, and counted no further than its counter', () =>
    property((town) => {
      for (const { slot, placement, node: where } of town.assignments()) {
        expect(where).toBe(node);
        expect(town.mirror.rows[keys.placement(slot)]?.value).toBe(placement);
      }
    }));
});
