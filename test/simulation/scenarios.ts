/**
 * The end-to-end scenarios as plans: what is done to a real machine there is done to a simulated one here, with the
 * same seed every time.
 */
import type { Fault, Plan, ServicePlan, Timed } from '../../runtime/simulation/plans/plan.ts';

export interface Scenario {
  readonly name: string;
  readonly plan: Plan;
}

const web: ServicePlan = {
  behaviour: { kind: 'steady' },
  replicas: 2,
  restart: 'always',
  image: 0,
  health: true,
  port: true,
  volume: false,
  bind: false,
  network: 'app',
  version: 1,
  dependsOn: 'healthy',
};
const { dependsOn: _, ...independent } = web;
const database: ServicePlan = { ...independent, replicas: 1, image: 1, port: false, volume: true };

/** The hello app: a store with a named volume, and a web service that waits for it. */
const hello = [database, web];
const deploy = (services: readonly ServicePlan[] = hello, atMs = 1_000) =>
  ({ do: 'deploy', app: 0, services, atMs }) as const;

function plan(faults: readonly Timed<Fault>[], more: Partial<Plan> = {}): Plan {
  return { orders: [deploy()], faults, removeAll: false, ...more };
}

const settled = 20_000;
/** Nothing tells whether it is well. */
const unprobed: ServicePlan = { ...independent, replicas: 3, health: false };

/** The daemon dies after so many of its calls, counted from just before the deploy. */
const killsDuringDeploy: readonly Scenario[] = [0, 3, 7, 12, 18, 25, 33, 42, 52, 63].map((afterCalls) => ({
  name: `kill -9 of the daemon ${afterCalls} calls into a deploy`,
  plan: plan([{ do: 'kill', afterCalls, downMs: 700, embedded: afterCalls % 2 === 0, atMs: 1_001 }]),
}));

export const scenarios: readonly Scenario[] = [
  ...killsDuringDeploy,
  {
    name: 'each process of the app is killed',
    plan: plan(
      [0, 0.4, 0.8].map((which, nth) => ({
        do: 'crash',
        which,
        code: 137,
        oom: false,
        atMs: settled + nth * 5_000,
      })),
    ),
  },
  {
    name: 'an app runs out of memory',
    plan: plan([{ do: 'crash', which: 0.5, code: 137, oom: true, atMs: settled }]),
  },
  {
    name: 'containerd restarts under us',
    plan: plan([{ do: 'runtime', as: 'down', forMs: 800, atMs: settled }]),
  },
  {
    name: 'containerd is down for a while, and the daemon is restarted meanwhile',
    plan: plan([
      { do: 'runtime', as: 'down', forMs: 20_000, atMs: settled },
      { do: 'kill', afterCalls: 0, downMs: 500, embedded: true, atMs: settled + 5_000 },
    ]),
  },
  {
    name: 'containerd hangs during a deploy',
    plan: plan([{ do: 'runtime', as: 'hung', forMs: 20_000, atMs: 1_020 }]),
  },
  { name: 'a port is taken', plan: plan([{ do: 'portTaken', forMs: 30_000, atMs: 500 }]) },
  {
    name: 'a bind source is missing',
    plan: plan([{ do: 'bindMissing', forMs: 30_000, atMs: 500 }], {
      orders: [deploy([{ ...independent, bind: true }])],
    }),
  },
  { name: 'an image is missing', plan: plan([{ do: 'image', image: 0, forMs: 30_000, atMs: 500 }]) },
  {
    name: 'the disk is full, during a deploy and after it',
    plan: plan([
      { do: 'disk', as: 'full', forMs: 15_000, atMs: 1_010 },
      { do: 'disk', as: 'full', forMs: 10_000, atMs: 40_000 },
      { do: 'crash', which: 0, code: 1, oom: false, atMs: 42_000 },
    ]),
  },
  ...[0.05, 0.5, 0.95].map((share) => ({
    name: `the journal is cut to ${share} of its length`,
    plan: plan([{ do: 'cut', share, atMs: settled }]),
  })),
  ...(['empty', 'foreign', 'older'] as const).flatMap((as) =>
    [true, false].map((kill) => ({
      name: `${as} store ${kill ? 'after a restart' : 'under the running daemon'}`,
      plan: plan([{ do: 'storeSwap', as, forMs: 60_000, kill, atMs: settled }]),
    })),
  ),
  {
    name: 'the store is silent while the daemon is killed and an app crashes',
    plan: plan([
      { do: 'store', as: 'down', forMs: 60_000, atMs: settled },
      { do: 'kill', afterCalls: 0, downMs: 500, embedded: false, atMs: settled + 2_000 },
      { do: 'crash', which: 0, code: 1, oom: false, atMs: settled + 10_000 },
    ]),
  },
  {
    name: 'a new version is deployed, scaled and removed while everything around it fails',
    plan: {
      orders: [
        deploy(),
        deploy([database, { ...web, version: 2 }], 25_000),
        { do: 'scale', app: 0, service: 1, replicas: 4, atMs: 40_000 },
        { do: 'restart', app: 0, service: 1, index: 2, atMs: 55_000 },
      ],
      faults: [
        { do: 'kill', afterCalls: 9, downMs: 300, embedded: true, atMs: 25_010 },
        { do: 'runtime', as: 'down', forMs: 5_000, atMs: 40_020 },
        { do: 'storeLoses', share: 0.5, forMs: 10_000, atMs: 55_000 },
      ],
      removeAll: true,
    },
  },
  ...[40, 1_000, 3_000].map((afterMs) => ({
    name: `a revision that crashes after ${afterMs} ms, with the daemon killed meanwhile, then a mended one`,
    plan: plan([{ do: 'kill', afterCalls: 4, downMs: 500, embedded: false, atMs: settled + 30_000 }], {
      orders: [
        deploy([unprobed]),
        deploy([{ ...unprobed, version: 2, behaviour: { kind: 'ends', afterMs, code: 3 } }], settled),
        deploy([{ ...unprobed, version: 3 }], settled + 80_000),
      ],
    }),
  })),
  {
    name: 'an actor is flooded, and defects strike drivers until the root gives up',
    plan: plan([
      { do: 'flood', messages: 1_500, atMs: settled },
      { do: 'defect', call: 'containers.list', times: 8, atMs: settled + 5_000 },
      { do: 'defect', call: 'store.status', times: 40, atMs: settled + 20_000 },
    ]),
  },
];
