/** Plans as a person asks for them: longer than two minutes, or with some kinds of faults alone. */
import { isClusterFault } from './cluster-plan.ts';
import { faultyMs, type Plan } from './plan.ts';

/** Kinds of faults by what they are about; each fault's own name is one too. */
const groups: Readonly<Record<string, readonly string[]>> = {
  network: ['part', 'cutWay', 'worseWay', 'clog'],
  time: ['stall', 'freeze', 'jump', 'drift'],
  keys: ['stranger', 'rotate'],
  members: ['kill', 'stop', 'wipe', 'leave'],
  store: ['store', 'storeSlow', 'storeLoses', 'watches', 'storeSwap'],
  containers: ['crash', 'take', 'runtime', 'image', 'portTaken', 'bindMissing'],
  disk: ['disk', 'cut'],
  software: ['defect', 'flood'],
};
const names = Object.values(groups).flat();

/** Of a list like `network,kill`; `none` for none. Throws for what is no kind of fault. */
export function onlyFaults(plan: Plan, list: string): Plan {
  const wanted = list.split(',').flatMap((word) => {
    if (word === 'none') return [];
    if (!names.includes(word) && !groups[word])
      throw new Error(
        `"${word}" is no kind of fault: none, ${[...Object.keys(groups), ...names].join(', ')}`,
      );
    return groups[word] ?? [word];
  });
  return { ...plan, faults: plan.faults.filter((fault) => wanted.includes(fault.do)) };
}

/** The plans of many seeds, one after the other. */
export function lengthened(plan: Plan, forMs: number, planOf: (turn: number) => Plan): Plan {
  const plans = [plan];
  while (plans.length * faultyMs < forMs) plans.push(planOf(plans.length));
  const later = <Act extends { readonly atMs: number }>(acts: readonly Act[], turn: number): Act[] =>
    acts.map((act) => ({ ...act, atMs: act.atMs + turn * faultyMs }));
  return {
    ...plan,
    orders: plans.flatMap(({ orders }, turn) => later(orders, turn)),
    faults: plans.flatMap(({ faults }, turn) => later(faults, turn)),
  };
}

/** In words: how many nodes it is for, and what befalls them. */
export function describe({ cluster, orders, faults }: Plan): string {
  const of = cluster ? `${cluster.nodes} nodes, ${cluster.network.loss * 100} % loss, ` : '';
  const wide = faults.filter((fault) => isClusterFault(fault)).length;
  return `${of}${orders.length} orders, ${faults.length} faults, ${wide} of them between nodes`;
}
