/**
 * How fast full nodes are simulated: five of them at rest with a few containers, and five as a campaign runs them. The
 * process is warm: what a long campaign costs a seed, not what the first one does. `npm run bench -- simulation`
 */
import { performance } from 'node:perf_hooks';
import { clusterPlanOf } from '../../runtime/simulation/plans/cluster-arbitrary.ts';
import type { Plan, ServicePlan } from '../../runtime/simulation/plans/plan.ts';
import { simulate } from '../../runtime/simulation/simulation.ts';
import { least, row, type Row } from './row.ts';

const nodes = 5;
const warmSeeds = 6;
const seeds = 12;
/** A rest this much longer than another costs what the difference lasts, and nothing else. */
const shortMs = 120_000;
const longMs = 1_320_000;

interface Spent {
  readonly virtualMs: number;
  readonly cpuMs: number;
  readonly wallMs: number;
}

/** Throws when a seed fails: it would have ended early, and cheaply. */
async function spent(run: () => Promise<number>): Promise<Spent> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const virtualMs = await run();
  return { virtualMs, cpuMs: process.cpuUsage(cpu).user / 1_000, wallMs: performance.now() - start };
}

async function virtualMsOf(seed: number, plan: Plan): Promise<number> {
  const outcome = await simulate(seed, plan);
  if (outcome.violation) throw new Error(`seed ${seed}: ${outcome.violation.text}`);
  return outcome.virtualMs;
}

const service: ServicePlan = {
  ...{ behaviour: { kind: 'steady' }, replicas: 2, restart: 'always', image: 0, health: true, port: true },
  ...{ volume: false, bind: false, network: 'app', version: 1 },
};

/** Four containers with health checks, nothing wrong. */
const rest = (forMs: number): Plan => ({
  forMs,
  orders: [0, 1].map((app) => ({ do: 'deploy', app, services: [service], atMs: 1_000 })),
  faults: [],
  cluster: {
    ...{ nodes, core: 2 ** nodes - 1, apart: 'down' },
    network: { loss: 0, delayMs: 0.2, meanMs: 0.3, duplicate: 0, replay: 0, kind: 'lan' },
  },
  removeAll: false,
});

async function atRest(): Promise<Spent> {
  const short = await spent(() => virtualMsOf(1, rest(shortMs)));
  const long = await spent(() => virtualMsOf(1, rest(longMs)));
  return {
    virtualMs: long.virtualMs - short.virtualMs,
    cpuMs: long.cpuMs - short.cpuMs,
    wallMs: long.wallMs - short.wallMs,
  };
}

async function campaignOf(from: number, count: number): Promise<Spent> {
  return spent(async () => {
    let virtualMs = 0;
    for (let seed = from; seed < from + count; seed += 1)
      virtualMs += await virtualMsOf(seed, clusterPlanOf(seed, nodes));
    return virtualMs;
  });
}

export async function simulationRows(): Promise<readonly Row[]> {
  await campaignOf(1, warmSeeds);
  const seeded = await campaignOf(1, seeds);
  const calm = await atRest();
  return [
    row(`${nodes} full nodes at rest, × real time by CPU`, calm.virtualMs / calm.cpuMs, ' ×', least(500)),
    row('the same by wall clock', calm.virtualMs / calm.wallMs, ' ×'),
    row(`${nodes} full nodes of a campaign's seeds, by CPU`, seeded.virtualMs / seeded.cpuMs, ' ×'),
    row('the same by wall clock', seeded.virtualMs / seeded.wallMs, ' ×'),
    row('the same, CPU a seed', seeded.cpuMs / seeds, ' ms'),
    row('the same, virtual time a seed', seeded.virtualMs / seeds / 1_000, ' s'),
  ];
}
