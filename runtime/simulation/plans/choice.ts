/** Plans as a person asks for them: longer or shorter than two minutes, or with some kinds of faults alone. */
import { coded } from '../../../protocols/errors.ts';
import { nearest } from '../../../protocols/suggest.ts';
import { calm } from '../../../transport/memory/datagrams.ts';
import { clusterPlanOf } from './cluster-arbitrary.ts';
import { isClusterFault, type JoiningPlan } from './cluster-plan.ts';
import { planOf } from './plan-arbitrary.ts';
import { faultyMs, type Order, type Plan, type Timed } from './plan.ts';

/** Which runs somebody wants: each of their plans follows from this and its seed. */
export interface RunWish {
  readonly nodes: number;
  /** Virtual ms of orders and faults, instead of `faultyMs`. */
  readonly forMs?: number;
  /** Kinds of faults, of one group each or by their own names; all when absent. */
  readonly faults?: readonly string[];
}

/** What goes wrong without being a fault at a time: always, by itself, or as a part of every run. */
type Way =
  /** Packets are lost, late, doubled and replayed all the time. */
  | 'weather'
  /** Some nodes are healed before the others, which are down or cut off meanwhile. */
  | 'core'
  /** One more kill −9 of every daemon, once all is well. */
  | 'lastKill'
  /** Services end, hang, or fail their probes. */
  | 'behaviour'
  /** Tokens are no good, answers are lost, the door is killed, impostors come, nodes move or lose their disks. */
  | 'door'
  /** Ports answer late, or not as one would like. */
  | 'awkward';

type Kind = Plan['faults'][number]['do'] | Way;

/** What each is about: a fault of a new kind has to say it. */
const groupOf: Readonly<Record<Kind, string>> = {
  ...{ part: 'network', cutWay: 'network', worseWay: 'network', clog: 'network', weather: 'network' },
  ...{ stall: 'time', freeze: 'time', jump: 'time', drift: 'time' },
  ...{ stranger: 'keys', rotate: 'keys', door: 'joining' },
  ...{ kill: 'members', stop: 'members', wipe: 'members', leave: 'members', core: 'members' },
  ...{ lastKill: 'members' },
  ...{ store: 'store', storeSlow: 'store', storeLoses: 'store', watches: 'store', storeSwap: 'store' },
  ...{ crash: 'containers', take: 'containers', runtime: 'containers', image: 'containers' },
  ...{ portTaken: 'containers', bindMissing: 'containers', behaviour: 'containers' },
  ...{ disk: 'disk', cut: 'disk' },
  ...{ defect: 'software', flood: 'software', awkward: 'software' },
};

const kinds = Object.keys(groupOf) as readonly Kind[];
const groups = [...new Set(Object.values(groupOf))];

/** In words, a line a group. */
export const faultsHelp = groups
  .map((group) => `  ${group.padEnd(12)}${kinds.filter((kind) => groupOf[kind] === group).join(' ')}`)
  .join('\n');

/** Of a list like `network,kill`; `none` for none. Throws for what is no kind of fault. */
export function faultsIn(list: string): readonly string[] {
  const words = list.split(',').map((word) => word.trim());
  const known = ['none', ...groups, ...kinds];
  const strange = words.find((word) => !known.includes(word));
  if (strange !== undefined) {
    const near = nearest(strange, known);
    const meant = near === undefined ? '' : `; did you mean ${near}?`;
    const hint = `--faults none, or any of these, with commas between them:\n${faultsHelp}`;
    throw coded('HM-CLI-USAGE', `"${strange}" is no kind of fault${meant}`, {}, hint);
  }
  return words.filter((word) => word !== 'none');
}

/** The plan of a seed. */
export function planFor({ nodes, forMs, faults }: RunWish, seed: number): Plan {
  const drawn = (one: number) => (nodes === 1 ? planOf(one) : clusterPlanOf(one, nodes));
  // Seeds far from those that campaigns begin with.
  const later = (turn: number) => drawn(seed + turn * 1_000_003);
  const plan = forMs === undefined ? drawn(seed) : lengthened(drawn(seed), forMs, later);
  return faults === undefined ? plan : onlyFaults(plan, faults);
}

/** Nothing else goes wrong: no fault, no weather, no service that fails by itself. */
function onlyFaults({ sites, ...plan }: Plan, wanted: readonly string[]): Plan {
  const wants = (kind: Kind) => wanted.includes(kind) || wanted.includes(groupOf[kind]);
  const { cluster } = plan;
  return {
    ...plan,
    ...(sites && wants('awkward') ? { sites } : {}),
    faults: plan.faults.filter((fault) => wants(fault.do)),
    ...(wants('behaviour') ? {} : { orders: plan.orders.map(steadied) }),
    ...(wants('lastKill') ? {} : { lastKill: false }),
    ...(cluster && {
      cluster: {
        ...cluster,
        ...(wants('weather') ? {} : { network: { ...calm, kind: cluster.network.kind } }),
        ...(wants('core') ? {} : { core: 2 ** cluster.nodes - 1 }),
        ...(cluster.joining && !wants('door') ? { joining: smooth(cluster.joining) } : {}),
      },
    }),
  };
}

const smooth = ({ certificateMs, tokens }: JoiningPlan): JoiningPlan => ({
  ...{ certificateMs, lostAnswers: 0, doorKills: [], acts: [] },
  tokens: tokens.map(() => 'good'),
});

function steadied(order: Timed<Order>): Timed<Order> {
  if (order.do !== 'deploy') return order;
  return {
    ...order,
    services: order.services.map((service) => ({ ...service, behaviour: { kind: 'steady' } })),
  };
}

/** The plans of many seeds, one after the other, cut off at the end. */
function lengthened(plan: Plan, forMs: number, planAt: (turn: number) => Plan): Plan {
  const plans = [plan];
  while (plans.length * faultyMs < forMs) plans.push(planAt(plans.length));
  const later = <Act extends { readonly atMs: number }>(acts: readonly Act[], turn: number): Act[] =>
    acts.map((act) => ({ ...act, atMs: act.atMs + turn * faultyMs })).filter(({ atMs }) => atMs < forMs);
  return {
    ...plan,
    orders: plans.flatMap(({ orders }, turn) => later(orders, turn)),
    faults: plans.flatMap(({ faults }, turn) => later(faults, turn)),
    forMs,
  };
}

/** In words: how many nodes it is for, and what befalls them. */
export function describe({ cluster, orders, faults }: Plan): string {
  const of = cluster ? `${cluster.nodes} nodes, ${cluster.network.loss * 100} % loss, ` : '';
  const wide = faults.filter((fault) => isClusterFault(fault)).length;
  return `${of}${orders.length} orders, ${faults.length} faults, ${wide} of them between nodes`;
}
