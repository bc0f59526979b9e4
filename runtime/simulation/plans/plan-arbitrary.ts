/**
 * Plans by chance: which apps, orders and faults a run meets. fast-check makes and shrinks them; the same seed makes
 * the same plan.
 */
import fc from 'fast-check';
import { withSites } from '../sites/sites.ts';
import {
  faultyMs,
  images,
  type Behaviour,
  type CarePlan,
  type Fault,
  type NeedsPlan,
  type Order,
  type Plan,
  type ServicePlan,
  type Timed,
} from './plan.ts';

const { constant, constantFrom, integer, boolean, record, option, array, oneof } = fc;

const at = (fromMs: number, toMs: number) => integer({ min: fromMs, max: toMs });
const duration = (maxMs: number) => integer({ min: 100, max: maxMs });

const behaviour: fc.Arbitrary<Behaviour> = oneof(
  { weight: 6, arbitrary: constant({ kind: 'steady' as const }) },
  {
    weight: 3,
    arbitrary: record({
      kind: constant('ends' as const),
      afterMs: integer({ min: 1, max: 20_000 }),
      code: constantFrom(0, 0, 1, 2, 139),
      oom: boolean(),
    }),
  },
  { weight: 1, arbitrary: constant({ kind: 'stubborn' as const }) },
  { weight: 1, arbitrary: record({ kind: constant('slow' as const), createMs: duration(15_000) }) },
  {
    weight: 3,
    arbitrary: record({ kind: constant('sick' as const), fromMs: integer({ min: 0, max: 20_000 }) }),
  },
  {
    weight: 3,
    arbitrary: record({
      kind: constant('unready' as const),
      fromMs: integer({ min: 0, max: 20_000 }),
      forMs: duration(60_000),
    }),
  },
  { weight: 1, arbitrary: constant({ kind: 'unhooked' as const }) },
  { weight: 1, arbitrary: constant({ kind: 'broken' as const }) },
);

const care: fc.Arbitrary<CarePlan> = record({
  startup: boolean(),
  readiness: boolean(),
  liveness: boolean(),
  postStart: boolean(),
  preStop: boolean(),
  drainMs: option(oneof(constant(0), integer({ min: 500, max: 4_000 })), { freq: 2 }),
  job: constantFrom(false, false, false, true),
  delayMs: option(integer({ min: 0, max: 5_000 }), { freq: 2 }),
  windowMs: option(integer({ min: 1_000, max: 30_000 }), { freq: 2 }),
  completions: option(integer({ min: 1, max: 3 }), { freq: 2 }),
  parallel: option(integer({ min: 1, max: 2 }), { freq: 2 }),
}).map(({ drainMs, delayMs, windowMs, completions, parallel, ...rest }) => ({
  ...rest,
  ...(rest.job && completions !== null ? { completions } : {}),
  ...(rest.job && parallel !== null ? { parallel } : {}),
  ...(drainMs === null ? {} : { drainMs }),
  ...(delayMs === null ? {} : { delayMs }),
  ...(windowMs === null ? {} : { windowMs }),
}));

const content = integer({ min: 1, max: 3 });
const memory = constantFrom(64, 128, 256);

const needs: fc.Arbitrary<NeedsPlan> = record(
  {
    files: constantFrom('restart' as const, 'none' as const, 'signal' as const),
    content,
    memory,
    networks: constantFrom('front', 'back', 'both', 'inner', 'fixed'),
    pull: constantFrom('always' as const, 'missing' as const, 'never' as const),
  },
  { requiredKeys: ['content'] },
);

/** What fails its probes has them. */
function probed({ kind }: Behaviour, cared: CarePlan | null): CarePlan | null {
  if (kind === 'unready') return { ...(cared ?? bare), readiness: true, job: false };
  return kind === 'sick' && cared ? { ...cared, liveness: true } : cared;
}

const bare: CarePlan = {
  ...{ startup: false, readiness: false, liveness: false, postStart: false, preStop: false, job: false },
};

const service: fc.Arbitrary<ServicePlan> = record({
  behaviour,
  replicas: constantFrom(1, 1, 2, 3),
  restart: constantFrom('none', 'on-failure', 'on-failure:2', 'always', 'always', 'always'),
  image: integer({ min: 0, max: images - 1 }),
  health: boolean(),
  dependsOn: option(constantFrom('started' as const, 'healthy' as const), { freq: 2 }),
  port: boolean(),
  volume: boolean(),
  bind: constantFrom(true, false, false),
  network: constantFrom('app', 'app', 'app', 'app', 'host', 'none'),
  care: option(care, { freq: 2 }),
  needs: option(needs, { freq: 2 }),
  version: integer({ min: 1, max: 3 }),
}).map(({ dependsOn, care: drawn, needs: needed, ...rest }) => {
  const cared = probed(rest.behaviour, drawn);
  return {
    ...rest,
    ...(needed === null ? {} : { needs: needed }),
    ...(dependsOn === null ? {} : { dependsOn }),
    ...(cared === null ? {} : { care: cared }),
  };
});

const app = integer({ min: 0, max: 1 });
const deploy = record({
  do: constant('deploy' as const),
  app,
  services: array(service, { minLength: 1, maxLength: 4 }),
});

const order: fc.Arbitrary<Order> = oneof(
  { weight: 4, arbitrary: deploy },
  { weight: 1, arbitrary: record({ do: constant('change' as const), app, memory }) },
  { weight: 1, arbitrary: record({ do: constant('change' as const), app, content }) },
  {
    weight: 2,
    arbitrary: record({
      do: constant('scale' as const),
      app,
      service: integer({ min: 0, max: 3 }),
      replicas: integer({ min: 0, max: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: record(
      {
        do: constant('restart' as const),
        app,
        service: integer({ min: 0, max: 3 }),
        index: integer({ min: 1, max: 3 }),
      },
      { requiredKeys: ['do', 'app'] },
    ).map(({ index, ...rest }) => ({
      ...rest,
      ...(rest.service === undefined || index === undefined ? {} : { index }),
    })),
  },
  {
    weight: 1,
    arbitrary: record({ do: constant('remove' as const), app, volumes: boolean() }),
  },
);

const share = integer({ min: 0, max: 100 }).map((percent) => percent / 100);

const kill = record({
  do: constant('kill' as const),
  afterCalls: integer({ min: 0, max: 40 }),
  downMs: integer({ min: 0, max: 15_000 }),
  embedded: boolean(),
});

/** The calls where a defect can be planted: one of every actor. */
export const defects = [
  'store.status',
  'store.list',
  'store.txn',
  'journal.read',
  'journal.append',
  'containers.list',
  'containers.inspect',
  'containers.create',
  'containers.start',
  'containers.remove',
  'containers.run',
  'probes.probe',
  'images.ensure',
  'network.attach',
  'network.publish',
  'volumes.prepareRun',
  'names.update',
] as const;

export const fault: fc.Arbitrary<Fault> = oneof(
  { weight: 8, arbitrary: kill },
  { weight: 2, arbitrary: record({ do: constant('stop' as const), downMs: duration(15_000) }) },
  {
    weight: 5,
    arbitrary: record({
      do: constant('crash' as const),
      which: share,
      code: constantFrom(0, 1, 137),
      oom: boolean(),
    }),
  },
  { weight: 1, arbitrary: record({ do: constant('take' as const), which: share }) },
  {
    weight: 4,
    arbitrary: record({
      do: constant('runtime' as const),
      as: constantFrom('down', 'hung', 'deaf'),
      forMs: duration(25_000),
    }),
  },
  {
    weight: 4,
    arbitrary: record({
      do: constant('store' as const),
      as: constantFrom('down', 'silent'),
      forMs: duration(25_000),
    }),
  },
  {
    weight: 2,
    arbitrary: record({
      do: constant('storeSlow' as const),
      tookMs: integer({ min: 10, max: 3_000 }),
      forMs: duration(20_000),
    }),
  },
  { weight: 3, arbitrary: record({ do: constant('storeLoses' as const), share, forMs: duration(20_000) }) },
  {
    weight: 2,
    arbitrary: record({ do: constant('watches' as const), as: constantFrom('broken', 'compacted') }),
  },
  {
    weight: 2,
    arbitrary: record({
      do: constant('storeSwap' as const),
      as: constantFrom('empty', 'foreign', 'older'),
      forMs: duration(40_000),
      kill: boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: record({
      do: constant('disk' as const),
      as: constantFrom('full', 'failing', 'slow'),
      forMs: duration(20_000),
    }),
  },
  { weight: 1, arbitrary: record({ do: constant('cut' as const), share }) },
  {
    weight: 2,
    arbitrary: record({
      do: constant('image' as const),
      image: integer({ min: 0, max: images - 1 }),
      forMs: duration(30_000),
    }),
  },
  { weight: 1, arbitrary: record({ do: constant('portTaken' as const), forMs: duration(30_000) }) },
  { weight: 1, arbitrary: record({ do: constant('bindMissing' as const), forMs: duration(30_000) }) },
  {
    weight: 3,
    arbitrary: record({
      do: constant('defect' as const),
      call: constantFrom(...defects),
      times: constantFrom(1, 1, 2, 8),
    }),
  },
  {
    weight: 1,
    arbitrary: record({ do: constant('flood' as const), messages: integer({ min: 900, max: 1_600 }) }),
  },
);

export const timed = <Act>(act: fc.Arbitrary<Act>, fromMs: number, toMs: number): fc.Arbitrary<Timed<Act>> =>
  fc.tuple(at(fromMs, toMs), act).map(([atMs, made]) => ({ ...made, atMs }));

export const byTime = <Act>(acts: readonly Timed<Act>[]) => [...acts].sort((a, b) => a.atMs - b.atMs);

export const planArbitrary: fc.Arbitrary<Plan> = record({
  first: timed(deploy, 0, 3_000),
  orders: array(timed(order, 3_000, faultyMs - 5_000), { maxLength: 8 }),
  faults: array(timed(fault, 0, faultyMs - 1_000), { maxLength: 12 }),
  removeAll: boolean(),
}).map(({ first, orders, faults, removeAll }) => ({
  orders: byTime([first, ...orders]),
  faults: byTime(faults),
  removeAll,
}));

/** For one plan of one seed, generated without fast-check's liking for edges: faults are edges enough. */
export const planParameters = (seed: number) => ({ seed, numRuns: 1, unbiased: true });

/** Those of a seed: the first is its plan, the smaller ones have its awkward places too. */
export const plansOf = (seed: number): fc.Arbitrary<Plan> =>
  planArbitrary.map((plan) => withSites(seed, plan));

/** The plan of a seed. */
export function planOf(seed: number): Plan {
  return fc.sample(plansOf(seed), planParameters(seed) as fc.Parameters<Plan>)[0]!;
}
