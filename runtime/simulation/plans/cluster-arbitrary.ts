/** Plans of several nodes by chance: their network, what befalls it and them, beside what may befall one node. */
import fc from 'fast-check';
import type { ClusterFault, ClusterPlan, NetworkPlan } from './cluster-plan.ts';
import { faultyMs, type Fault, type Plan, type Timed } from './plan.ts';
import { withSites } from '../sites/sites.ts';
import { withJoining } from './joining-draws.ts';
import { byTime, fault, planArbitrary, planParameters, timed } from './plan-arbitrary.ts';

const { constant, constantFrom, integer, boolean, record, array, oneof } = fc;

const duration = (maxMs: number) => integer({ min: 100, max: maxMs });
const percent = (max: number) => integer({ min: 0, max }).map((share) => share / 100);

/** Mild: nobody may be declared dead who lives. Harsh: anything. */
type Weather = 'mild' | 'harsh';

const network = (weather: Weather): fc.Arbitrary<NetworkPlan> =>
  record({
    loss: weather === 'mild' ? percent(10) : oneof(constant(0), percent(20)),
    delayMs: constantFrom(0.2, 0.2, 5),
    meanMs: constantFrom(0.3, 1, 10),
    duplicate: percent(weather === 'mild' ? 2 : 10),
    replay: percent(weather === 'mild' ? 2 : 10),
    kind: constantFrom('lan', 'lan', 'fast'),
  });

const thread = constantFrom('main' as const, 'membership' as const);

const mild = (nodes: number): fc.Arbitrary<ClusterFault> => {
  const node = integer({ min: 0, max: nodes - 1 });
  return oneof(
    {
      weight: 4,
      arbitrary: record({ do: constant('stall' as const), node, thread, forMs: duration(1_000) }),
    },
    { weight: 1, arbitrary: record({ do: constant('freeze' as const), node, forMs: duration(1_000) }) },
    {
      weight: 1,
      arbitrary: record({
        do: constant('jump' as const),
        node,
        byMs: integer({ min: -3_600_000, max: 3_600_000 }),
      }),
    },
    {
      weight: 1,
      arbitrary: record({ do: constant('drift' as const), node, ppm: integer({ min: -200, max: 200 }) }),
    },
    { weight: 1, arbitrary: record({ do: constant('rotate' as const) }) },
    {
      weight: 1,
      arbitrary: record({
        do: constant('stranger' as const),
        node,
        packets: integer({ min: 1, max: 20 }),
      }),
    },
    {
      weight: 1,
      arbitrary: record({ do: constant('leave' as const), node, downMs: duration(15_000) }),
    },
  );
};

const harsh = (nodes: number): fc.Arbitrary<ClusterFault> => {
  const node = integer({ min: 0, max: nodes - 1 });
  const way = { from: node, to: node };
  return oneof(
    { weight: 5, arbitrary: mild(nodes) },
    {
      weight: 4,
      arbitrary: record({
        do: constant('part' as const),
        side: integer({ min: 1, max: 2 ** nodes - 2 }),
        oneWay: boolean(),
        forMs: duration(40_000),
      }),
    },
    { weight: 3, arbitrary: record({ do: constant('cutWay' as const), ...way, forMs: duration(30_000) }) },
    {
      weight: 2,
      arbitrary: record({
        do: constant('worseWay' as const),
        ...way,
        loss: percent(60),
        meanMs: constantFrom(1, 50, 300),
        duplicate: percent(20),
        replay: percent(20),
        forMs: duration(30_000),
      }),
    },
    { weight: 2, arbitrary: record({ do: constant('clog' as const), ...way, forMs: duration(5_000) }) },
    {
      weight: 1,
      arbitrary: record({ do: constant('stall' as const), node, thread, forMs: duration(8_000) }),
    },
    { weight: 3, arbitrary: record({ do: constant('freeze' as const), node, forMs: duration(20_000) }) },
    {
      weight: 1,
      // The first server's disk is the cluster: nothing of it would come back.
      arbitrary: record({
        do: constant('wipe' as const),
        node: integer({ min: 1, max: nodes - 1 }),
        downMs: duration(15_000),
      }),
    },
  );
};

const anywhere = (nodes: number): fc.Arbitrary<Fault> =>
  fc
    .tuple(fault, integer({ min: 0, max: nodes - 1 }))
    .map(([one, node]) => (node === 0 ? one : { ...one, node }));

function faultsIn(weather: Weather, nodes: number): fc.Arbitrary<readonly Timed<Fault | ClusterFault>[]> {
  const between = <Act>(act: fc.Arbitrary<Act>) => timed(act, 0, faultyMs - 1_000);
  const cluster = between<ClusterFault>(weather === 'mild' ? mild(nodes) : harsh(nodes));
  return fc
    .tuple(array(between(anywhere(nodes)), { maxLength: 8 }), array(cluster, { maxLength: 10 }))
    .map(([some, others]) => byTime<Fault | ClusterFault>([...some, ...others]));
}

function clusterArbitrary(nodes: number): fc.Arbitrary<Plan> {
  const ofWeather = (weather: Weather): fc.Arbitrary<Plan> =>
    fc
      .tuple(
        planArbitrary,
        faultsIn(weather, nodes),
        network(weather),
        integer({ min: 0, max: 2 ** nodes - 1 }),
        constantFrom('down' as const, 'cut' as const),
      )
      .map(([plan, faults, drawn, core, apart]) => {
        const cluster: ClusterPlan = { nodes, network: drawn, core, apart };
        return { ...plan, faults, cluster };
      });
  return oneof({ weight: 1, arbitrary: ofWeather('mild') }, { weight: 3, arbitrary: ofWeather('harsh') });
}

/** Those of a seed for so many nodes: all join as its plan does, and have its awkward places. */
export const clusterPlansOf = (seed: number, nodes: number): fc.Arbitrary<Plan> =>
  clusterArbitrary(nodes).map((plan) => withSites(seed, withJoining(seed, plan)));

/** The plan of a seed for so many nodes. */
export function clusterPlanOf(seed: number, nodes: number): Plan {
  return fc.sample(clusterPlansOf(seed, nodes), planParameters(seed) as fc.Parameters<Plan>)[0]!;
}
